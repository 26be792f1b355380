/**
 * The main job, told step by step as it is seen to happen: what `npm start` runs.
 *
 *     npm start -- [--keep] [--no-blank] [--json FILE] [--rack NAME]
 */
import { writeFile } from 'node:fs/promises'
import { describeError, errorCodes, isJangadaError } from '../../base/errors.ts'
import { systemClock } from '../../platform/clock.ts'
import { openLog } from '../../platform/log.ts'
import type { MachineRow } from '../../node/api/answers.ts'
import { type DemoArguments, parseDemoArguments } from './demo/arguments.ts'
import { blankStep, imageStep, workStep } from './demo/blank-steps.ts'
import {
  binaryFile,
  buildStep,
  downStep,
  powerCutStep,
  powerOnStep,
  rackStep,
  rulesStep,
  statusStep,
} from './demo/cluster-steps.ts'
import type { Scene } from './demo/scene.ts'
import { Story } from './demo/story.ts'
import { onInterrupt } from './interrupt.ts'
import { openRack, rackDown } from './lifecycle.ts'
import { defaultRackName } from './names.ts'
import { snapshotOutside } from './outside.ts'
import type { RackWorld } from './world.ts'

const evidenceLines = 12
const blankName = 'b1'
const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

async function tell(story: Story, world: RackWorld, args: DemoArguments): Promise<void> {
  const { rack: name, blank } = args
  const now = () => snapshotOutside({ name })
  // One that an earlier story has kept, or that `rack up` has built under this name.
  if (await rackDown(world, { name })) print(`the rack "${name}" that was here is taken down`)
  const before = await now()
  await story.step('a', 'build', 'one binary', async () => {
    await buildStep(story)
    if (blank) await imageStep(story)
  })
  let scene: Scene | undefined
  const inScene = (work: (scene: Scene) => Promise<void>) => async (): Promise<void> => {
    if (scene !== undefined) await work(scene)
  }
  await story.step('b', 'rack', 'three hosts, one cluster', async () => {
    const rack = await rackStep(story, world, { name, blanks: blank ? 1 : 0, binary: binaryFile })
    scene = { rack, units: new Map() }
  })
  await story.step(
    'c',
    'status',
    'every node tells the same',
    inScene(({ rack }) => statusStep(story, rack)),
  )
  await story.step(
    'd',
    'rules',
    'unit files, and the rules they make',
    inScene(async (here) => void (await rulesStep(story, here))),
  )
  let victim = ''
  await story.step(
    'e',
    'power-cut',
    'the host that leads and has the most to do loses its power',
    inScene(async (here) => {
      victim = await powerCutStep(story, here)
    }),
  )
  await story.step(
    'f',
    'power-on',
    'and has it again',
    inScene((here) => powerOnStep(story, here, victim)),
  )
  if (blank) await tellBlank(story, inScene)
  if (args.keep) return
  await story.step('i', 'down', 'nothing stays behind', () =>
    downStep(story, world, name, { before, now }),
  )
}

async function tellBlank(
  story: Story,
  inScene: (work: (scene: Scene) => Promise<void>) => () => Promise<void>,
): Promise<void> {
  let machine: MachineRow | undefined
  await story.step(
    'g',
    'blank',
    'a machine with nothing on it joins',
    inScene(async ({ rack }) => {
      machine = await blankStep(story, rack, blankName)
    }),
  )
  await story.step(
    'h',
    'logs',
    'and works',
    inScene(async ({ rack }) => {
      if (machine !== undefined) await workStep(story, rack, machine)
    }),
  )
}

/** Steps: a to f, g and h with a blank machine, i unless the rack is kept. */
const stepCount = ({ blank, keep }: DemoArguments): number => 6 + (blank ? 2 : 0) + (keep ? 0 : 1)

async function main(words: readonly string[]): Promise<number> {
  const args = parseDemoArguments(words)
  const place = { name: args.rack }
  const { log } = await openLog({ level: 'error', descriptor: 2 })
  const world: RackWorld = { clock: systemClock(), log }
  const evidence = async (machine: string): Promise<string> =>
    (await openRack(world, place)).logs(machine, undefined, evidenceLines)
  const story = new Story({ clock: world.clock, print, evidence }, stepCount(args))
  const telling = tell(story, world, args)
  const release = onInterrupt(async () => {
    print('interrupted: taking the rack down')
    await rackDown(world, place)
    // What the story built meanwhile, before it noticed.
    await Promise.allSettled([telling])
    await rackDown(world, place)
  })
  try {
    await telling
    if (!story.whole) await rackDown(world, place)
    if (args.json !== undefined) {
      await writeFile(args.json, `${JSON.stringify({ steps: story.outcomes }, undefined, 2)}\n`)
    }
  } finally {
    release()
  }
  if (story.whole && args.keep) sayHowToTalk(args.rack)
  print(story.lastLine())
  return story.whole ? 0 : 1
}

function sayHowToTalk(rack: string): void {
  const name = rack === defaultRackName ? '' : ` --name ${rack}`
  print('the rack is up; talk to it with')
  print(`  dist/jangada rack ls${name}`)
  print(`  dist/jangada rack exec n1${name} -- jangada status`)
  print(`  dist/jangada rack exec n1${name} -- busybox wget -qO- http://127.0.0.1:7380/status`)
  print(`  dist/jangada rack power-off n2${name}`)
  print(`  dist/jangada rack down${name}`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  if (isJangadaError(error)) {
    if (error.hint !== undefined) process.stderr.write(`${error.hint}\n`)
    process.exitCode = errorCodes[error.code].exit
  } else process.exitCode = 1
}
