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
    describe: "The machine's name for people, now or at first [its host name]",
  },
  address: {
    type: 'string',
    requiresArg: true,
    describe: "IPv4 address on which the others reach it, now or at first [the first link's]",
  },
  'port-http': { type: 'number', requiresArg: true, hidden: true },
  'port-api': { type: 'number', requiresArg: true, hidden: true },
  'port-peer': { type: 'number', requiresArg: true, hidden: true },
}

/** As host names have it, so that tables, files and addresses can hold it. */
const machineName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/

/** Throws JGD_USAGE. */
export function machineConfig(args: Arguments, environment: CliEnvironment): MachineConfig {
  const { stateDirectory, ports } = environment.defaults
  const port = (name: string, fallback: number): number => {
    const value = args.number(name) ?? fallback
    if (Number.isSafeInteger(value) && value > 0 && value < 65_536) return value
    throw usage(`--${name} is a port: 1 to 65535`)
  }
  const name = args.text('name')
  if (name !== undefined && !machineName.test(name)) {
    throw usage(`--name ${name}: a name has letters, digits, "-", "_" and ".", at most 63`)
  }
  const address = args.text('address')
  if (address !== undefined && !ipv4.test(address)) {
    throw usage(`--address ${address}: write an IPv4 address of this machine`, 'see "ip addr"')
  }
  return {
    stateDirectory: args.text('state-dir') ?? stateDirectory,
    name,
    address,
    ports: {
      plain: port('port-http', ports.plain),
      api: port('port-api', ports.api),
      peer: port('port-peer', ports.peer),
    },
  }
}
