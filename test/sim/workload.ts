/** What people do to units, through any node's API: submit, start, stop, edit, destroy. */
import type { SeededRandom } from '../../src/base/random.ts'
import { edited, instances, type UnitFile, unitFiles } from './unit-files.ts'
import type { World } from './world.ts'

const actEveryMsMax = 1500

export class Workload {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #files: readonly UnitFile[]
  readonly counts = { done: 0, refused: 0 }
  #edits = 0
  isStopped = false

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork()
    const [pinned] = world.machines.slice(-1)
    this.#files = unitFiles((pinned as (typeof world.machines)[0]).id)
  }

  /** Everything submitted and wanted, one request at a time; then people begin to change it. */
  start(): void {
    void this.#submitAll().then(() => this.#pauseThenAct())
  }

  /** Everything that is there is to run: what the end is judged by. */
  async wantAll(): Promise<void> {
    this.isStopped = true
    await this.#submitAll()
  }

  async #submitAll(): Promise<void> {
    const launched = { desired: 'launched', replace: true } as const
    for (const { name, file } of this.#files) {
      const body = name.includes('@.') ? { file, replace: true } : { file, ...launched }
      await this.#untilDone('PUT', name, body)
    }
    for (const name of instances) await this.#untilDone('PUT', name, { desired: 'launched' })
  }

  /** Through one node after another until one does it. */
  async #untilDone(method: string, name: string, body: unknown): Promise<void> {
    while (!(await this.#ask(method, name, body))) await this.#wait(200)
  }

  #pauseThenAct(): void {
    void this.#wait(this.#random.fraction() * actEveryMsMax).then(async () => {
      if (this.isStopped) return
      await this.#act()
      this.#pauseThenAct()
    })
  }

  async #act(): Promise<void> {
    const file = this.#random.pick(this.#files)
    const isTemplate = file.name.includes('@.')
    const name = isTemplate ? this.#random.pick(instances) : file.name
    const dice = this.#random.fraction()
    if (dice < 0.25) await this.#ask('POST', `${name}/state`, { desired: 'inactive' })
    else if (dice < 0.35) await this.#ask('POST', `${name}/state`, { desired: 'loaded' })
    else if (dice < 0.5 && !isTemplate) {
      this.#edits += 1
      await this.#ask('PUT', name, { file: edited(file, this.#edits).file, replace: true })
    } else if (dice < 0.6 && !isTemplate) await this.#ask('DELETE', name, undefined)
    else {
      const source = isTemplate ? {} : { file: file.file, replace: true }
      await this.#ask('PUT', name, { ...source, desired: 'launched' })
    }
  }

  /** False when it was refused, or nobody answered in time. */
  #ask(method: string, path: string, body: unknown): Promise<boolean> {
    const { time, machines, timeline } = this.#world
    const open = machines.filter(({ process, isPaused }) => process?.server && !isPaused)
    const machine = open.length === 0 ? undefined : this.#random.pick(open)
    const server = machine?.process?.server
    if (server === undefined) return Promise.resolve(false)
    return new Promise((resolve) => {
      const over = (status: number): void => {
        timer.cancel()
        const isDone = status < 300
        this.counts[isDone ? 'done' : 'refused'] += 1
        const what = JSON.stringify(body ?? {}).replace(/"file":"[^"]*",?/, '')
        timeline.note('people', `${method} ${path} ${what} at ${machine?.name}: ${status}`)
        resolve(isDone)
      }
      const timer = time.after(8000, () => over(504))
      const request = {
        door: 'socket',
        method,
        path: `/v1/units/${path}`,
        query: new Map(),
        headers: {},
        readBody: () => Promise.resolve(body),
        remoteAddress: '',
        localAddress: '',
      } as const
      void server.api.handle(request, new AbortController().signal).then(({ status }) => {
        if (server.alive()) over(status)
      })
    })
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.time.after(ms, resolve))
  }
}
