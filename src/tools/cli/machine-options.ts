/** What `init`, `join` and `up` are all told of the machine they run on. */
import type { Options } from 'yargs'
import type { MachineConfig } from '../../daemon/config.ts'
import { type Arguments, usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'

export const machineOptions: Readonly<Record<string, Options>> = {
  'state-dir': {
    type: 'string',
    requiresArg: true,
    describe: "Where this machine's part of the cluster is kept [/var/lib/jangada]",
  },
  name: {
    type: 'string',
    requiresArg: true,
    describe: "The machine's name for people [its host name]",
  },
  address: {
    type: 'string',
    requiresArg: true,
    describe: "IPv4 address on which the others reach it [the first link's]",
  },
  'port-http': { type: 'number', requiresArg: true, hidden: true },
  'port-api': { type: 'number', requiresArg: true, hidden: true },
  'port-peer': { type: 'number', requiresArg: true, hidden: true },
}

/** Throws JGD_USAGE. */
export function machineConfig(args: Arguments, environment: CliEnvironment): MachineConfig {
  const { stateDirectory, ports } = environment.defaults
  const port = (name: string, fallback: number): number => {
    const value = args.number(name) ?? fallback
    if (Number.isSafeInteger(value) && value > 0 && value < 65_536) return value
    throw usage(`--${name} is a port: 1 to 65535`)
  }
  return {
    stateDirectory: args.text('state-dir') ?? stateDirectory,
    name: args.text('name'),
    address: args.text('address'),
    ports: {
      plain: port('port-http', ports.plain),
      api: port('port-api', ports.api),
      peer: port('port-peer', ports.peer),
    },
  }
}
