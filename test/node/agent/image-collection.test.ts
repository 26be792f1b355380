/** A machine whose disk fills with images, as its agent sees it. */
import t from 'tap'
import { clusterSettings } from '../../../src/core/records/keyspace.ts'
import type { ClusterSettingsRecord } from '../../../src/core/records/schemas.ts'
import { AgentWorld, cluster } from './fixture.ts'

const mebibyte = 2 ** 20
const minuteMs = 60_000
/** Later than an image that nothing uses any more is removed. */
const laterMs = 4 * minuteMs

/** Ten images fill its disk; the usual one is there from the start, and takes next to nothing. */
class FillingMachine extends AgentWorld {
  constructor() {
    super()
    this.engine.store.totalBytes = 1000 * mebibyte
    this.set({})
    this.agent.start()
  }

  set(changes: Partial<ClusterSettingsRecord>): void {
    const usual = { v: 1, clusterId: cluster, createdMs: 0, featureLevel: 4, voters: 3 } as const
    const settings = { ...usual, admission: 'sticky', status: 'full', ...changes } as const
    this.store.put(clusterSettings.put(settings, 'cluster'))
  }

  /** The unit runs this version from now on. */
  async runs(image: string): Promise<void> {
    if (this.engine.store.find(image) === undefined) this.engine.publish(image, 100 * mebibyte)
    const run = `ExecStart=/usr/bin/docker run ${image} sleep 100000`
    this.place('app.service', [run, 'TimeoutStopSec=1'], { hash: image })
    const isRunning = () => this.engine.running.some((each) => each.image === image)
    await this.until(`${image} runs`, isRunning)
  }

  async runEach(from: number, to: number): Promise<void> {
    for (let version = from; version <= to; version += 1) {
      await this.runs(`app:${version}`)
      await this.time.runFor(minuteMs)
    }
  }

  get images(): readonly string[] {
    return this.engine.store
      .list(new Set())
      .flatMap(({ names }) => names.filter((name) => name !== 'busybox:jangada'))
      .toSorted()
  }

  async told(kind: string): Promise<readonly string[]> {
    return (await this.events()).filter((each) => each.kind === kind).map((each) => each.message)
  }
}

t.test(
  'old versions go once the disk is above the ceiling, the longest unused first',
  async (t) => {
    const world = new FillingMachine()
    await world.runEach(1, 8)
    t.equal(world.images.length, 8, '80 % of the disk is no reason')
    await world.runEach(9, 9)
    await world.time.runFor(laterMs)
    t.same(world.images, ['app:3', 'app:4', 'app:5', 'app:6', 'app:7', 'app:8', 'app:9'])
    t.ok(
      world.engine.running.some(({ image }) => image === 'app:9'),
      'what runs, runs on',
    )
    t.same(await world.told('images.collected'), [
      'n1: 2 images that no unit needs were removed, 200 MiB freed; 70 % of its disk is in use, 90 % before',
    ])
    t.same(await world.told('images.no-room'), [])
  },
)

t.test('an image is kept by its last use, not by its age', async (t) => {
  const world = new FillingMachine()
  await world.runEach(1, 7)
  await world.runs('app:1')
  await world.time.runFor(minuteMs)
  await world.runEach(8, 9)
  await world.time.runFor(laterMs)
  t.ok(world.images.includes('app:1'))
  t.notOk(world.images.includes('app:2'))
})

t.test('what a unit names, what a container has and what came by hand stay', async (t) => {
  const world = new FillingMachine()
  await world.runEach(1, 2)
  const named = 'ExecStart=/usr/bin/docker run --pull=never app:1'
  world.place('next.service', [named], { desired: 'loaded' })
  const strangers = await world.time.runUntilSettled(
    world.engine.create('somebody', { Image: 'app:2' }),
    1000,
  )
  world.engine.store.add('loaded:1', 100 * mebibyte)
  world.engine.store.add('loaded:2', 100 * mebibyte)
  await world.runs('loaded:1')
  await world.runEach(3, 9)
  await world.time.runFor(laterMs)
  const always = ['app:1', 'app:2', 'app:9', 'loaded:1', 'loaded:2']
  t.same(world.images, [...always.slice(0, 2), 'app:7', 'app:8', ...always.slice(2)])

  world.engine.removeContainer(strangers)
  world.engine.store.otherBytes = 900 * mebibyte
  await world.time.runFor(laterMs)
  t.same(world.images, ['app:1', 'app:9', 'loaded:1', 'loaded:2'])
  const [warning, ...others] = await world.told('images.no-room')
  t.match(warning, /^n1: 100 % of the disk at \/var\/lib\/docker is in use, the floor is 75 %, /)
  t.same(others, [], 'it is told once')
  world.unplace('next.service')
  await world.time.runFor(laterMs)
  t.notOk(world.images.includes('app:1'), 'it is needed no more')
  t.equal((await world.told('images.no-room')).length, 1)
})

t.test('a name that somebody gave an image keeps it', async (t) => {
  const world = new FillingMachine()
  await world.runEach(1, 2)
  world.engine.store.add('mine:1', 0, world.engine.store.find('app:1'))
  await world.runEach(3, 9)
  await world.time.runFor(laterMs)
  t.ok(world.images.includes('app:1'))
  t.notOk(world.images.includes('app:2'))
})

t.test('images whose names went to newer ones go too', async (t) => {
  const world = new FillingMachine()
  for (let version = 1; version <= 9; version += 1) {
    world.engine.publish('app:latest', 100 * mebibyte)
    const run = 'ExecStart=/usr/bin/docker run --pull=always app sleep 100000'
    world.place('app.service', [run, 'TimeoutStopSec=1'], { hash: `${version}` })
    const had = new Set(world.engine.running.map(({ id }) => id))
    const isNew = () => world.engine.running.some(({ id }) => !had.has(id))
    await world.until(`version ${version} runs`, isNew)
    await world.time.runFor(minuteMs)
  }
  await world.time.runFor(laterMs)
  const images = world.engine.store.list(new Set())
  t.equal(images.length, 8, 'seven, and the usual one')
  t.equal(images.filter(({ names }) => names.length === 0).length, 6)
})

t.test('an agent that starts anew knows what it knew', async (t) => {
  const world = new FillingMachine()
  await world.runEach(1, 6)
  await world.restartAgent()
  await world.runEach(7, 8)
  await world.restartAgent()
  await world.runEach(9, 9)
  await world.time.runFor(laterMs)
  t.same(world.images, ['app:3', 'app:4', 'app:5', 'app:6', 'app:7', 'app:8', 'app:9'])
})

t.test('what a pull brought whose end no agent saw is known as well', async (t) => {
  const world = new FillingMachine()
  world.engine.publish('app:1', 100 * mebibyte)
  world.place('app.service', ['ExecStart=/usr/bin/docker run app:1 sleep 100000'])
  await world.untilWord('app.service', 'activating/pulling')
  await world.time.runFor(100)
  world.unplace('app.service')
  await world.restartAgent()
  await world.until('the image is here', () => world.images.length > 0)
  world.engine.store.otherBytes = 850 * mebibyte
  await world.time.runFor(laterMs)
  t.same(world.images, [])
})

t.test('a record that cannot be read costs no image', async (t) => {
  const world = new FillingMachine()
  await world.runEach(1, 8)
  const disk = world.disk.mount()
  const file = await disk.open('pulled-images.json', { create: false })
  await file.write(0, new TextEncoder().encode('{"v":2,'))
  await file.sync()
  await world.restartAgent()
  await world.runEach(9, 9)
  await world.time.runFor(laterMs)
  t.equal(world.images.length, 9)
  t.equal((await world.told('images.no-room')).length, 1)
})

t.test('a disk that takes no record is made room on all the same', async (t) => {
  const world = new FillingMachine()
  world.disk.faults.failedWrite = 1
  await world.runEach(1, 9)
  await world.time.runFor(laterMs)
  t.equal(world.images.length, 7)
})

t.test('nothing is removed where people switched it off, or before they were heard', async (t) => {
  const world = new FillingMachine()
  world.set({ imageCollectionCeilingPercent: 'off' })
  await world.runEach(1, 9)
  await world.time.runFor(laterMs)
  t.equal(world.images.length, 9)
  world.store.put({ kind: 'delete', key: clusterSettings.key('cluster') })
  await world.restartAgent()
  await world.time.runFor(laterMs)
  t.equal(world.images.length, 9)
  world.set({ imageCollectionCeilingPercent: 50, imageCollectionFloorPercent: 31 })
  await world.time.runFor(laterMs)
  t.same(world.images, ['app:7', 'app:8', 'app:9'])
})

t.test('an engine that refuses is asked again later, and people are told once', async (t) => {
  const world = new FillingMachine()
  world.engine.store.refuses = true
  await world.runEach(1, 9)
  await world.time.runFor(laterMs)
  t.equal(world.images.length, 9)
  t.equal((await world.told('images.no-room')).length, 1)
  world.engine.store.refuses = false
  await world.time.runFor(15 * minuteMs)
  t.equal(world.images.length, 7)
  t.equal((await world.told('images.no-room')).length, 1)
})

t.test('an engine that goes away in the middle is gone on with when it is back', async (t) => {
  const world = new FillingMachine()
  await world.runEach(1, 9)
  world.engine.store.otherBytes = 600 * mebibyte
  await world.until('some are gone', () => world.images.length < 7)
  world.engine.crash()
  await world.time.runFor(minuteMs)
  world.engine.restart()
  await world.time.runFor(laterMs)
  t.same(world.images, ['app:9'])
})

t.test('a disk above the ceiling with images of a moment ago is no news', async (t) => {
  const world = new FillingMachine()
  await world.runs('app:1')
  world.engine.store.otherBytes = 800 * mebibyte
  await world.runs('app:2')
  await world.time.runFor(minuteMs)
  t.same(await world.told('images.no-room'), [])
  t.equal(world.images.length, 2)
  await world.time.runFor(laterMs)
  t.same(world.images, ['app:2'])
})
