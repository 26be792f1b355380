/** A machine as reconcile sees it, with an engine that does at once what it is told. */
import type { Generation, UnitName } from '../../../src/base/ids.ts'
import { readLabels, writeLabels } from '../../../src/core/reconcile/labels.ts'
import { noteFetched, noteStartFailed } from '../../../src/core/reconcile/memory.ts'
import { reconcile } from '../../../src/core/reconcile/reconcile.ts'
import type {
  Action,
  DesiredUnit,
  ObservedContainer,
  ReconcileResult,
  UnitMemory,
  UnitRules,
  Work,
} from '../../../src/core/reconcile/types.ts'

export const clusterId = 'c'.repeat(32)

const anyRules: UnitRules = {
  restart: 'no',
  restartDelayMs: 100,
  startLimit: { burst: 5, steadyMs: 60_000 },
  ignoreFailure: false,
  after: [],
  requires: [],
  bindsTo: [],
}

export interface Placed {
  readonly generation?: number
  readonly hash?: string
  readonly desired?: 'loaded' | 'launched'
  readonly isLeaving?: boolean
  readonly rules?: Partial<UnitRules>
}

export class World {
  nowMs = 1000
  bootId = 'boot-1'
  engineUp = true
  containers: ObservedContainer[] = []
  readonly work = new Map<UnitName, Work>()
  memory: ReadonlyMap<UnitName, UnitMemory> = new Map()
  #desired = new Map<string, DesiredUnit>()
  #ids = 0
  last: ReconcileResult | undefined

  place(name: string, placed: Placed = {}): void {
    this.#desired.set(name, {
      name: name as UnitName,
      generation: (placed.generation ?? 5) as Generation,
      hash: placed.hash ?? 'hash-1',
      desired: placed.desired ?? 'launched',
      isLeaving: placed.isLeaving ?? false,
      plan: { kind: 'ready', rules: { ...anyRules, ...placed.rules } },
    })
  }

  placeWith(name: string, plan: DesiredUnit['plan']): void {
    this.place(name)
    this.#desired.set(name, { ...(this.#desired.get(name) as DesiredUnit), plan })
  }

  unplace(name: string): void {
    this.#desired.delete(name)
  }

  /** A new agent on the same machine: it remembers nothing. */
  restartAgent(): void {
    this.memory = new Map()
    this.work.clear()
  }

  /** The machine has lost its power and is back: all is dead, and nobody remembers. */
  powerCycle(): void {
    this.restartAgent()
    this.bootId = `${this.bootId}+`
    for (const { id } of this.containers) this.exit(id, 255)
  }

  look(): readonly Action[] {
    this.last = reconcile({
      clusterId,
      bootId: this.bootId,
      nowMs: this.nowMs,
      desired: [...this.#desired.values()],
      containers: this.engineUp ? this.containers : undefined,
      memory: this.memory,
      work: this.work,
    })
    this.memory = this.last.memory
    return this.last.actions
  }

  /** Looks, does what is to be done, and looks again, until there is nothing to do. */
  settle(): readonly Action[] {
    const done: Action[] = []
    for (let round = 0; round < 20; round += 1) {
      const actions = this.look()
      if (actions.length === 0) return done
      for (const action of actions) this.carryOut(action)
      done.push(...actions)
    }
    throw new Error(`never settles: ${JSON.stringify(done.slice(-3))}`)
  }

  carryOut(action: Action): void {
    if (action.kind === 'start') {
      for (const id of action.leftovers) this.remove(id)
      this.run(action.unit, action)
    } else if (action.kind === 'clear') {
      for (const { id } of action.containers) this.remove(id)
    } else if (action.kind === 'fetch') this.fetched(action.unit, undefined)
  }

  /** A container that somebody has started. */
  run(
    unit: string,
    labels: { readonly generation?: number; readonly hash?: string; readonly restarts?: number },
  ): string {
    this.#ids += 1
    const id = `container-${this.#ids}`
    this.containers.push({
      id,
      image: 'busybox:jangada',
      imageDigest: 'sha256:1',
      labels: writeLabels({
        clusterId,
        unit: unit as UnitName,
        generation: (labels.generation ?? 5) as Generation,
        hash: labels.hash ?? 'hash-1',
        bootId: this.bootId,
        restarts: labels.restarts ?? 0,
        stop: { signal: 'SIGINT', graceMs: 1234 },
      }),
      state: 'running',
      exitCode: undefined,
      startedAtMs: this.nowMs,
      finishedAtMs: undefined,
    })
    return id
  }

  exit(id: string, exitCode: number): void {
    this.containers = this.containers.map((each) =>
      each.id === id ? { ...each, state: 'exited', exitCode, finishedAtMs: this.nowMs } : each,
    )
  }

  remove(id: string): void {
    this.containers = this.containers.filter((each) => each.id !== id)
  }

  /** `message`: why it came to nothing. */
  fetched(unit: string, message: string | undefined): void {
    const memory = this.memory.get(unit as UnitName) as UnitMemory
    this.memory = new Map([
      ...this.memory,
      [unit as UnitName, noteFetched(memory, message, this.nowMs)],
    ])
  }

  failStart(unit: string, message: string): void {
    const memory = this.memory.get(unit as UnitName) as UnitMemory
    const failure = { timedOut: false, ofImage: false, message }
    const desired = { plan: { kind: 'ready' as const, rules: anyRules } }
    const noted = noteStartFailed(memory, failure, desired, this.nowMs)
    this.memory = new Map([...this.memory, [unit as UnitName, noted]])
  }

  idOf(unit: string): string {
    const found = this.containers.find(({ labels }) => readLabels(labels)?.unit === unit)
    if (found === undefined) throw new Error(`${unit} has no container`)
    return found.id
  }

  /** `active/running` and the like. */
  state(unit: string): string | undefined {
    const condition = this.last?.conditions.get(unit as UnitName)
    return condition && `${condition.active}/${condition.sub}`
  }

  message(unit: string): string | undefined {
    return this.last?.conditions.get(unit as UnitName)?.message
  }
}

/** `start web.service` and the like. */
export const summarize = (actions: readonly Action[]): string[] =>
  actions.map(({ kind, unit }) => `${kind} ${unit}`)
