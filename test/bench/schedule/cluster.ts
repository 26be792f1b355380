/** A cluster made from a seed: units with all the rules there are, about twenty for each machine. */
import { type MachineId, machineId, unitName } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type { Needs } from '../../../src/base/room.ts'
import type {
  SchedulerMachine,
  SchedulerRules,
  SchedulerUnit,
  Snapshot,
} from '../../../src/core/scheduler/types.ts'

export const unitsPerMachine = 20
const gib = 2 ** 30
const mib = 2 ** 20
const machinesPerRack = 40
const zones = ['a', 'b', 'c', 'd', 'e']
const globals = 4

const plain: SchedulerRules = {
  machineId: undefined,
  global: false,
  machineOf: [],
  conflicts: [],
  replaces: [],
  metadata: {},
  spread: [],
  prefer: [],
  strategy: 'spread',
  priority: 50,
  fencing: 'keep',
  fencingGraceMs: 0,
  minAvailable: 0,
}

export function makeCluster(units: number, seed: number): Snapshot {
  const random = new SeededRandom(seed)
  const machines = makeMachines(Math.max(3, Math.round(units / unitsPerMachine)), random)
  return { machines, units: new Units(units, machines, random).make(), placements: [] }
}

function makeMachines(count: number, random: SeededRandom): SchedulerMachine[] {
  const hex = (): string => random.uint32().toString(16).padStart(8, '0')
  return Array.from({ length: count }, (_, n) => {
    const isLarge = random.chance(0.2)
    return {
      id: machineId(hex() + hex() + hex() + n.toString(16).padStart(8, '0')),
      metadata: {
        zone: zones[Math.floor((n * zones.length) / count)] as string,
        rack: `r${Math.floor(n / machinesPerRack)}`,
        disk: random.chance(0.4) ? 'ssd' : 'hdd',
        ...(random.chance(0.1) && { gpu: 'yes' }),
      },
      status: 'ready',
      drain: 'none',
      capacity: { memoryBytes: (isLarge ? 128 : 48) * gib, nanoCpus: (isLarge ? 64 : 24) * 1e9 },
    }
  })
}

/** How often each kind of application comes, in a hundred. */
const shares = {
  plain: 42,
  metadata: 12,
  conflicts: 8,
  spread: 8,
  machineOf: 7,
  prefer: 6,
  priority: 6,
  pack: 4,
  ports: 4,
  replaces: 2,
  pinned: 1,
} as const
type Kind = keyof typeof shares
const kinds = Object.entries(shares).flatMap(([kind, share]) =>
  Array.from({ length: share }, () => kind as Kind),
)

class Units {
  readonly #count: number
  readonly #machines: readonly SchedulerMachine[]
  readonly #random: SeededRandom
  readonly #units: SchedulerUnit[] = []
  #app = 0

  constructor(count: number, machines: readonly SchedulerMachine[], random: SeededRandom) {
    this.#count = count
    this.#machines = machines
    this.#random = random
  }

  make(): SchedulerUnit[] {
    for (let n = 0; n < globals; n += 1) {
      const rules = n === 0 ? {} : { metadata: { zone: [zones[n] as string, 'a'] } }
      this.#add(`everywhere-${n}.service`, { global: true, ...rules }, { memoryBytes: 64 * mib })
    }
    while (this.#units.length < this.#count) {
      this.#app += 1
      this.#addApp(this.#random.pick(kinds))
    }
    return this.#random.shuffle(this.#units.slice(0, this.#count))
  }

  #addApp(kind: Kind): void {
    const random = this.#random
    const name = `${kind.toLowerCase()}-${this.#app}`
    const instances = random.integer(1, 40)
    const each = (rules: (n: number) => Partial<SchedulerRules>, needs: Partial<Needs> = {}) => {
      const same = { ...this.#needs(), ...needs }
      for (let n = 1; n <= instances; n += 1) this.#add(`${name}@${n}.service`, rules(n), same)
    }
    switch (kind) {
      case 'plain':
        return each(() => ({}))
      case 'metadata':
        return each(() => ({ metadata: this.#metadata() }))
      case 'conflicts':
        return each(() => ({ conflicts: [`${name}@*.service`] }))
      case 'spread':
        return each(() => ({ spread: [random.pick(['rack', 'zone'])] }))
      case 'machineOf':
        each(() => ({}))
        for (let n = 1; n <= instances; n += 1) {
          const rules = { machineOf: [`${name}@${n}.service`] }
          this.#add(`${name}-beside@${n}.service`, rules, { memoryBytes: 64 * mib })
        }
        return
      case 'prefer':
        return each(() => ({ prefer: [{ key: 'disk', value: 'ssd', weight: 50 }] }))
      case 'priority':
        return each(() => ({ priority: random.integer(0, 100) }))
      case 'pack':
        return each(() => ({ strategy: 'pack' }))
      case 'ports': {
        const port = `${random.integer(8000, 8999)}/tcp`
        return each(() => ({}), { ports: [{ port, ip: '' }] })
      }
      case 'replaces':
        this.#add(`${name}-old.service`, {}, this.#needs())
        return this.#add(`${name}-new.service`, { replaces: [`${name}-old*`] }, this.#needs())
      case 'pinned': {
        const machine: MachineId = random.pick(this.#machines).id
        return this.#add(`${name}.service`, { machineId: machine }, this.#needs())
      }
    }
  }

  /** Now and then what no machine has. */
  #metadata(): Record<string, readonly string[]> {
    const random = this.#random
    if (random.chance(0.01)) return { disk: ['tape'] }
    if (random.chance(0.3)) return { gpu: ['yes'] }
    return { zone: [random.pick(zones), random.pick(zones)], disk: ['ssd'] }
  }

  #needs(): Partial<Needs> {
    const memoryBytes = this.#random.pick([0, 128, 256, 512, 1024, 4096]) * mib
    return { memoryBytes, nanoCpus: this.#random.pick([0, 1e8, 5e8, 1e9]) }
  }

  #add(name: string, rules: Partial<SchedulerRules>, needs: Partial<Needs>): void {
    this.#units.push({
      name: unitName(name),
      wanted: true,
      rules: { ...plain, ...rules },
      needs: { memoryBytes: 0, nanoCpus: 0, ports: [], ...needs },
    })
  }
}
