/**
 * `jangada rack …`, without the parsing of arguments: each command as a function that the CLI
 * calls with what it has parsed. Each returns the exit code.
 */
import { JangadaError } from '../../base/errors.ts'
import { isBinary } from '../../platform/assets.ts'
import { bringUpCluster } from './cluster.ts'
import { onInterrupt } from './interrupt.ts'
import {
  type RackOptions,
  type RackPlace,
  openRack,
  rackDown,
  rackIsUp,
  rackUp,
} from './lifecycle.ts'
import { defaultRackName } from './names.ts'
import type { RackStatus } from './status.ts'
import type { RackWorld } from './world.ts'

export interface RackCommandContext {
  readonly world: RackWorld
  /** One line for people, or one JSON document, to standard output. */
  readonly print: (line: string) => void
}

export interface RackUpArguments extends RackPlace {
  readonly hosts: number
  readonly blanks: number
  readonly binary?: string
  readonly imageTars?: readonly string[]
  /** Hosts and engines only, no cluster on them. */
  readonly bare?: boolean
  /** Takes a rack of the same name down first; without it, that is an error. */
  readonly replace?: boolean
}

export async function up(context: RackCommandContext, args: RackUpArguments): Promise<number> {
  const { world } = context
  if (args.replace !== true && (await rackIsUp(args))) {
    throw new JangadaError('JGD_CONFLICT', `rack "${args.name ?? defaultRackName}" is up already`, {
      hint: 'Use it, take it down with `jangada rack down`, or give --replace.',
    })
  }
  const work = build(context, args)
  let cleaning: Promise<void> | undefined
  const release = onInterrupt(() => {
    cleaning = removeUnder(work, world, args)
    return cleaning
  })
  try {
    await work
    return 0
  } catch (error) {
    if (cleaning === undefined) {
      await rackDown(world, args)
      throw error
    }
    // It failed because it was interrupted, which is no news; what counts is that all is gone.
    await cleaning
    return interruptedCode
  } finally {
    release()
  }
}

/** As a shell has it for a program that SIGINT ended. */
const interruptedCode = 130

/** Taken down under its feet the work fails soon; what it made meanwhile goes at the second time. */
async function removeUnder(work: Promise<void>, world: RackWorld, place: RackPlace): Promise<void> {
  await rackDown(world, place)
  await Promise.allSettled([work])
  await rackDown(world, place)
}

async function build({ world, print }: RackCommandContext, args: RackUpArguments): Promise<void> {
  const startedMs = world.clock.monotonicMs()
  const seconds = (): string => ((world.clock.monotonicMs() - startedMs) / 1000).toFixed(1)
  const rack = await rackUp(world, rackOptions(args))
  print(`${args.hosts} hosts with their engines, ${seconds()} s`)
  if (args.bare !== true) {
    await bringUpCluster(rack, args.blanks > 0 ? { bootLink: 'eth0' } : {})
    print(`one cluster of them, ${seconds()} s`)
  }
  for (const blank of rack.spec.blanks) await rack.blankUp(blank.name)
  if (args.blanks > 0) print(`${args.blanks} blank machines switched on, ${seconds()} s`)
  const named = args.name === undefined ? '' : ` --name ${args.name}`
  const place = args.stateDir === undefined ? named : `${named} --state-dir ${args.stateDir}`
  print(`next: jangada rack ls${place}, or exec HOST -- COMMAND, power-off HOST, down${place}`)
}

/** The hosts run what builds the rack, where that is the product and not its sources. */
const ownBinary = (): string | undefined => (isBinary() ? process.execPath : undefined)

const rackOptions = (
  args: RackUpArguments,
  binary: string | undefined = args.binary ?? ownBinary(),
): RackOptions => ({
  hosts: args.hosts,
  blanks: args.blanks,
  ...(args.name === undefined ? {} : { name: args.name }),
  ...(args.stateDir === undefined ? {} : { stateDir: args.stateDir }),
  ...(binary === undefined ? {} : { binary }),
  ...(args.imageTars === undefined ? {} : { imageTars: args.imageTars }),
})

export async function down(
  context: RackCommandContext,
  args: RackPlace & { readonly keepState?: boolean },
): Promise<number> {
  const name = args.name ?? defaultRackName
  const wasThere = await rackDown(context.world, args)
  context.print(wasThere ? `rack ${name} is down` : `there is no rack "${name}"`)
  return 0
}

export async function ls(
  context: RackCommandContext,
  args: RackPlace & { readonly json?: boolean },
): Promise<number> {
  const rack = await openRack(context.world, args)
  const status = await rack.ls()
  if (args.json === true) context.print(JSON.stringify(status, undefined, 2))
  else for (const line of statusTable(status)) context.print(line)
  return 0
}

/** Enough to tell engines apart; `--json` has the whole. */
const engineShown = 12

/** Columns as wide as their widest cell. */
export function statusTable(status: RackStatus): string[] {
  const rows = [
    ['MACHINE', 'STATE', 'LINK', 'ADDRESS', 'MAC', 'PID', 'NETNS', 'ENGINE'],
    ...status.hosts.map((host) => [
      host.name,
      host.state,
      host.link,
      host.address,
      host.mac,
      String(host.initPid ?? '-'),
      host.netns ?? '-',
      host.engineId?.slice(0, engineShown) ?? '-',
    ]),
    ...status.blanks.map((blank) => [
      blank.name,
      blank.state,
      blank.link,
      '-',
      blank.mac,
      String(blank.qemuPid ?? '-'),
      '-',
      '-',
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** In the directory of its first argument, or in `/` where the host has another tree there. */
const fromDirectory = ['sh', '-c', 'cd -- "$1" 2>/dev/null || cd /; shift; exec "$@"', 'sh']

/**
 * Runs a program on a host with our terminal, in our directory, so that `examples/web.service`
 * means there what it means here; its exit code is ours.
 */
export async function exec(
  context: RackCommandContext,
  args: RackPlace & { readonly machine: string; readonly command: readonly string[] },
): Promise<number> {
  if (args.command.length === 0) {
    throw new JangadaError('JGD_USAGE', 'there is nothing to run', {
      hint: 'jangada rack exec HOST -- COMMAND [ARGUMENT…]',
    })
  }
  const rack = await openRack(context.world, args)
  const options = { stdio: 'inherit', timeoutMs: Infinity } as const
  const argv = [...fromDirectory, process.cwd(), ...args.command]
  return (await rack.exec(args.machine, argv, options)).code
}

export interface MachineArguments extends RackPlace {
  readonly machine: string
}

export async function powerOff(
  context: RackCommandContext,
  args: MachineArguments,
): Promise<number> {
  const rack = await openRack(context.world, args)
  const { cutAtMs, deadAtMs } = await rack.powerOff(args.machine)
  context.print(
    `${args.machine} is off; all dead ${Math.round(deadAtMs - cutAtMs)} ms after the cut`,
  )
  return 0
}

export async function powerOn(
  context: RackCommandContext,
  args: MachineArguments,
): Promise<number> {
  const rack = await openRack(context.world, args)
  await rack.powerOn(args.machine)
  context.print(`${args.machine} is on`)
  return 0
}

export async function cut(context: RackCommandContext, args: MachineArguments): Promise<number> {
  await (await openRack(context.world, args)).cut(args.machine)
  context.print(`${args.machine} is cut off`)
  return 0
}

/** One machine, or every one when none is named. */
export async function heal(
  context: RackCommandContext,
  args: RackPlace & { readonly machine?: string },
): Promise<number> {
  await (await openRack(context.world, args)).heal(args.machine)
  context.print(`${args.machine ?? 'the whole LAN'} is healed`)
  return 0
}

export async function freeze(context: RackCommandContext, args: MachineArguments): Promise<number> {
  await (await openRack(context.world, args)).freeze(args.machine)
  context.print(`${args.machine} is frozen`)
  return 0
}

export async function thaw(context: RackCommandContext, args: MachineArguments): Promise<number> {
  await (await openRack(context.world, args)).thaw(args.machine)
  context.print(`${args.machine} goes on`)
  return 0
}

export async function loss(
  context: RackCommandContext,
  args: MachineArguments & { readonly percent: number },
): Promise<number> {
  await (await openRack(context.world, args)).loss(args.machine, args.percent)
  context.print(`${args.machine} loses ${args.percent} % of its packets`)
  return 0
}

export async function partition(
  context: RackCommandContext,
  args: RackPlace & {
    readonly from: readonly string[]
    readonly to: readonly string[]
    readonly oneWay?: boolean
  },
): Promise<number> {
  const rack = await openRack(context.world, args)
  await rack.partition(args.from, args.to, args.oneWay === true ? 'one-way' : 'both')
  const arrow = args.oneWay === true ? 'does not reach' : 'and'
  const apart = args.oneWay === true ? '' : ' are apart'
  context.print(`${args.from.join(', ')} ${arrow} ${args.to.join(', ')}${apart}`)
  return 0
}

export async function logs(
  context: RackCommandContext,
  args: MachineArguments & { readonly service?: string; readonly lines?: number },
): Promise<number> {
  const rack = await openRack(context.world, args)
  context.print(await rack.logs(args.machine, args.service, args.lines))
  return 0
}
