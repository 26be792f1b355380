/**
 * Bindings over the store. A binding is a pair of keys written in one transaction, by machine and
 * by address, each only if absent: so no address is ever bound twice, whichever nodes race.
 *
 * A record by address whose machine has no record pointing back is *resting*: given to no one
 * until its time is over. Declined and forgotten addresses rest.
 */
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import { revision, type Revision } from '../../base/ids.ts'
import type { Binding } from '../../core/netboot/dhcp/link.ts'
import { parseMac, parseUuid } from '../../core/netboot/hardware.ts'
import type { Mac } from '../../core/netboot/hardware.ts'
import { formatIpv4, isHostIn, parseIpv4 } from '../../core/netboot/ipv4.ts'
import type { Ipv4 } from '../../core/netboot/ipv4.ts'
import { chooseAddress, poolContains, strangersMax } from '../../core/netboot/pool.ts'
import { admissions, bindingsByAddress, bindingsByMachine } from '../../core/records/keyspace.ts'
import { systemPrefix } from '../../core/records/keyspace.ts'
import { prefixEnd } from '../../core/records/record.ts'
import type { Stored } from '../../core/records/record.ts'
import type { BindingRecord } from '../../core/records/schemas.ts'
import type {
  Compare,
  KeyValue,
  Operation,
  StoreEvent,
  Transaction,
} from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { follow, type Follower } from '../member/follow.ts'
import type { StoreAccess, TransactionResult } from '../member/store-access.ts'
import type { BindRequest, Bindings, BootLink } from './bindings.ts'

export interface StoreBindingsOptions {
  readonly store: Pick<StoreAccess, 'transact' | 'range' | 'watch'>
  readonly clock: Clock
  readonly log: Log
  /** Addresses that are never given out: those of machines that were not numbered by us. */
  readonly reserved: () => readonly Ipv4[]
  readonly signal: AbortSignal
}

/** How long an address rests before another machine may have it. */
export const restMs = 30 * 24 * 3_600_000
/**
 * The same where nobody has admitted who declined it: anybody on the link can say so, of address
 * after address, and would leave none for those who are known.
 */
export const strangersRestMs = 600_000
/** Each lost race tells of at least one more taken address, so a few tries suffice. */
const attemptsMax = 8

const bindingsPrefix = `${systemPrefix}bindings/`
const bindingsRange = { key: bindingsPrefix, rangeEnd: prefixEnd(bindingsPrefix) }

type Item = Stored<BindingRecord>

/** Follows the store until `signal` aborts. Until the first list, it knows no machine. */
export class StoreBindings implements Bindings {
  readonly #options: StoreBindingsOptions
  /**
   * What the store holds, as far as this node has heard. It may lag, so it only chooses what to
   * try: whether an address is free is decided by the transaction.
   */
  readonly #byMachine = new Map<Mac, Item>()
  readonly #byAddress = new Map<Ipv4, Item>()
  /** MACs of machines that an operator or a policy has let in, by admission key. */
  readonly #admitted = new Map<string, readonly string[]>()
  /** Both follow loops; settled once the signal has aborted. */
  readonly done: Promise<unknown>

  constructor(options: StoreBindingsOptions) {
    this.#options = options
    const { store, clock, log, signal } = options
    const shared = { store, clock, log, signal }
    this.done = Promise.all([
      follow({ ...shared, range: bindingsRange, follower: this.#bindingsFollower() }),
      follow({ ...shared, range: admissions.range, follower: this.#admissionsFollower() }),
    ])
  }

  lookup(mac: Mac): Binding | undefined {
    const item = this.#byMachine.get(mac)
    return item === undefined ? undefined : toBinding(item.value)
  }

  lookupAddress(address: Ipv4): Binding | undefined {
    const mac = parseMac(this.#byAddress.get(address)?.value.mac ?? '')
    const binding = mac === undefined ? undefined : this.lookup(mac)
    return binding?.address === address ? binding : undefined
  }

  async bind(request: BindRequest): Promise<Binding> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const known = this.lookup(request.mac)
      if (known !== undefined && isHostIn(subnetOf(request.link), known.address)) return known
      const address = this.#choose(request)
      const keys = [bindingsByMachine.key(request.mac), bindingsByAddress.key(formatIpv4(address))]
      const transaction = this.#bindTransaction(request, address, readBack(keys))
      this.#learn(await this.#options.store.transact(transaction), keys)
    }
    const binding = this.lookup(request.mac)
    if (binding !== undefined) return binding
    throw new JangadaError('JGD_OVERLOADED', `no free address was found for ${request.mac}`, {
      hint: 'others took each one that was tried; the machine asks again by itself',
    })
  }

  async quarantine(mac: Mac, address: Ipv4): Promise<void> {
    const item = this.#byMachine.get(mac)
    if (item === undefined || item.value.address !== formatIpv4(address)) return
    const resting = { ...item.value, boundMs: this.#options.clock.wallMs() }
    const keys = [item.key, bindingsByAddress.key(resting.address)]
    const transaction: Transaction = {
      compare: [unchanged(item.key, item.modRevision)],
      then: [remove(item.key), bindingsByAddress.put(resting, resting.address), ...readBack(keys)],
      otherwise: readBack(keys),
    }
    this.#learn(await this.#options.store.transact(transaction), keys)
  }

  /** Throws JGD_POOL_FULL, said plainly: an operator has to act. */
  #choose({ mac, link }: BindRequest): Ipv4 {
    const { pool } = link
    const nowMs = this.#options.clock.wallMs()
    const strangers = this.#strangersIn(link, nowMs)
    if (!this.#isAdmitted(mac) && strangers >= strangersMax(pool)) {
      throw new JangadaError(
        'JGD_POOL_FULL',
        `${strangers} machines that nobody has admitted hold addresses of link ${link.link.name}`,
        {
          hint: 'look at "jangada machines --pending"; admit them, or give the link a larger pool',
        },
      )
    }
    const reserved = new Set(this.#options.reserved())
    for (const own of [parseIpv4(link.link.address), link.router, ...link.nameServers]) {
      if (own !== undefined) reserved.add(own)
    }
    const address = chooseAddress(
      pool,
      mac,
      (one) => reserved.has(one) || this.#isTaken(one, nowMs),
    )
    if (address !== undefined) return address
    throw new JangadaError('JGD_POOL_FULL', `link ${link.link.name} has no free address`, {
      hint: 'give the link a larger pool',
    })
  }

  #isTaken(address: Ipv4, nowMs: number): boolean {
    const item = this.#byAddress.get(address)
    if (item === undefined) return false
    const { mac, boundMs } = item.value
    const forMs = this.#isAdmitted(mac) ? restMs : strangersRestMs
    return this.lookupAddress(address) !== undefined || nowMs < boundMs + forMs
  }

  /**
   * Addresses that strangers hold, or have declined a while ago. A scan, and only for a machine
   * that is new: at most some thousands, five times a second.
   */
  #strangersIn(link: BootLink, nowMs: number): number {
    const admitted = new Set([...this.#admitted.values()].flat())
    let strangers = 0
    for (const [address, { value }] of this.#byAddress) {
      if (!poolContains(link.pool, address) || admitted.has(value.mac)) continue
      if (this.#isTaken(address, nowMs)) strangers += 1
    }
    return strangers
  }

  #isAdmitted(mac: string): boolean {
    for (const macs of this.#admitted.values()) if (macs.includes(mac)) return true
    return false
  }

  #bindTransaction(
    { mac, uuid, link }: BindRequest,
    address: Ipv4,
    reads: readonly Operation[],
  ): Transaction {
    const text = formatIpv4(address)
    const before = this.#byMachine.get(mac)
    const rested = this.#byAddress.get(address)
    const record: BindingRecord = {
      v: 1,
      mac,
      address: text,
      uuid: uuid ?? '',
      link: link.link.name,
      boundMs: this.#options.clock.wallMs(),
    }
    assert(before?.value.address !== text, 'a new binding is another address')
    return {
      compare: [
        unchanged(bindingsByMachine.key(mac), before?.modRevision),
        unchanged(bindingsByAddress.key(text), rested?.modRevision),
      ],
      then: [
        // It came to another link: the old address is free at once, its only holder is here.
        ...(before === undefined ? [] : [remove(bindingsByAddress.key(before.value.address))]),
        bindingsByMachine.put(record, mac),
        bindingsByAddress.put(record, text),
        ...reads,
      ],
      otherwise: reads,
    }
  }

  /** What the transaction read at its end: this node knows it before the watch tells. */
  #learn(result: TransactionResult, keys: readonly string[]): void {
    const ranges = result.results.filter((one) => one.kind === 'range')
    assert(ranges.length === keys.length, 'each key was read back')
    for (const [at, key] of keys.entries()) {
      const [item] = ranges[at]?.result.items ?? []
      if (item === undefined) this.#delete(key, revision(result.revision + 1))
      else this.#put(item)
    }
  }

  #put(item: KeyValue): void {
    const byMachine = bindingsByMachine.read(item)
    if (byMachine !== undefined) {
      const mac = parseMac(byMachine.value.mac)
      if (mac !== undefined && isNewer(byMachine, this.#byMachine.get(mac))) {
        this.#byMachine.set(mac, byMachine)
      }
    }
    const byAddress = bindingsByAddress.read(item)
    if (byAddress !== undefined) {
      const address = parseIpv4(byAddress.value.address)
      if (address !== undefined && isNewer(byAddress, this.#byAddress.get(address))) {
        this.#byAddress.set(address, byAddress)
      }
    }
  }

  #delete(key: string, at: Revision): void {
    if (key.startsWith(bindingsByMachine.prefix)) {
      const mac = parseMac(key.slice(bindingsByMachine.prefix.length))
      const item = mac === undefined ? undefined : this.#byMachine.get(mac)
      if (mac !== undefined && item !== undefined && item.modRevision < at) {
        this.#byMachine.delete(mac)
      }
    } else if (key.startsWith(bindingsByAddress.prefix)) {
      const address = parseIpv4(key.slice(bindingsByAddress.prefix.length))
      const item = address === undefined ? undefined : this.#byAddress.get(address)
      if (address !== undefined && item !== undefined && item.modRevision < at) {
        this.#byAddress.delete(address)
      }
    }
  }

  #bindingsFollower(): Follower {
    return {
      reset: (items: readonly KeyValue[]): void => {
        this.#byMachine.clear()
        this.#byAddress.clear()
        for (const item of items) this.#put(item)
      },
      change: (events: readonly StoreEvent[]): void => {
        for (const event of events) {
          if (event.kind === 'put') this.#put(event.item)
          else this.#delete(event.key, event.revision)
        }
      },
    }
  }

  #admissionsFollower(): Follower {
    const put = (item: KeyValue): void => {
      const admission = admissions.read(item)?.value
      const isIn = admission?.state === 'approved' || admission?.state === 'member'
      if (admission !== undefined && isIn) this.#admitted.set(item.key, admission.macs)
      else this.#admitted.delete(item.key)
    }
    return {
      reset: (items: readonly KeyValue[]): void => {
        this.#admitted.clear()
        for (const item of items) put(item)
      },
      change: (events: readonly StoreEvent[]): void => {
        for (const event of events) {
          if (event.kind === 'put') put(event.item)
          else this.#admitted.delete(event.key)
        }
      },
    }
  }
}

const subnetOf = ({ link }: BootLink): { address: Ipv4; prefixLength: number } => {
  const address = parseIpv4(link.address)
  assert(address !== undefined, 'a boot link has an IPv4 address')
  return { address, prefixLength: link.prefixLength }
}

function toBinding(record: BindingRecord): Binding | undefined {
  const mac = parseMac(record.mac)
  const address = parseIpv4(record.address)
  if (mac === undefined || address === undefined) return undefined
  return { mac, uuid: parseUuid(record.uuid), address }
}

const isNewer = (item: Item, than: Item | undefined): boolean =>
  than === undefined || item.modRevision > than.modRevision

/** An absent key has revision 0: "still absent" and "not changed since" are one comparison. */
const unchanged = (key: string, modRevision: Revision | undefined): Compare => ({
  target: 'modRevision',
  key,
  is: '=',
  to: modRevision ?? 0,
})

const remove = (key: string): Operation => ({ kind: 'delete', key })

const readBack = (keys: readonly string[]): Operation[] =>
  keys.map((key) => ({ kind: 'range', range: { key } }))
