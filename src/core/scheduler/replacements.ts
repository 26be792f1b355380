/**
 * Who takes whose place. fleet ignores two units that replace each other, because they would
 * chase each other for ever; so would any longer circle, and a unit that takes away what it
 * follows. All such patterns are ignored here.
 */
import type { UnitName } from '../../base/ids.ts'
import { matchesGlob } from './matchers.ts'
import { PatternIndex } from './pattern-index.ts'
import type { SchedulerUnit } from './types.ts'

export class Replacements {
  /** By replacer. */
  readonly #patterns = new Map<UnitName, readonly string[]>()
  readonly #index = new PatternIndex()
  /** By pattern: whom it matches. */
  readonly #matches = new Map<string, UnitName[]>()
  /** Of units that would come back to themselves: the name that sorts first in their circle. */
  readonly circles: ReadonlyMap<UnitName, UnitName>

  constructor(units: readonly SchedulerUnit[]) {
    for (const { name, rules } of units) {
      if (rules.replaces.length === 0) continue
      this.#patterns.set(name, rules.replaces)
      for (const pattern of rules.replaces) this.#index.add(pattern)
    }
    this.circles = this.#patterns.size === 0 ? new Map() : this.#findCircles(units)
  }

  get areNone(): boolean {
    return this.#patterns.size === 0
  }

  /** The pattern by which `unit` takes the place of `other`, or undefined. */
  pattern(unit: UnitName, other: UnitName): string | undefined {
    const patterns = this.#patterns.get(unit)
    if (patterns === undefined || unit === other) return undefined
    const circle = this.circles.get(unit)
    if (circle !== undefined && circle === this.circles.get(other)) return undefined
    return patterns.find((pattern) => matchesGlob(pattern, other))
  }

  /** Whose place the unit takes. */
  victimsOf(unit: UnitName): UnitName[] {
    const matched = (this.#patterns.get(unit) ?? []).flatMap(
      (each) => this.#matches.get(each) ?? [],
    )
    return matched.filter((other) => this.pattern(unit, other) !== undefined)
  }

  /** Some unit's `Replaces=` names it. */
  isVictim(name: UnitName): boolean {
    return this.#index.matching(name).length > 0
  }

  /**
   * Who leaves when a unit comes, and who leaves when that one leaves, as a graph: a unit leads to its
   * patterns and to its followers, a pattern to the units that it matches. Units in one strongly connected
   * part of it are in a circle.
   */
  #findCircles(units: readonly SchedulerUnit[]): Map<UnitName, UnitName> {
    const followers = new Map<string, string[]>()
    for (const { name, rules } of units) {
      for (const peer of rules.machineOf) append(followers, unitNode(peer), unitNode(name))
    }
    for (const { name } of units) {
      for (const pattern of this.#index.matching(name)) append(this.#matches, pattern, name)
    }
    const next = (node: string): readonly string[] => {
      if (node.startsWith(patternMark)) {
        return (this.#matches.get(node.slice(1)) ?? []).map(unitNode)
      }
      const patterns = this.#patterns.get(node.slice(1) as UnitName) ?? []
      const follow = followers.get(node) ?? []
      return [...patterns.map((pattern) => patternMark + pattern), ...follow]
    }
    const circles = new Map<UnitName, UnitName>()
    for (const part of connectedParts([...this.#patterns.keys()].map(unitNode), next)) {
      const names = part.flatMap((node) =>
        node.startsWith(patternMark) ? [] : [node.slice(1) as UnitName],
      )
      if (names.length < 2) continue
      const first = names.reduce((a, b) => (a < b ? a : b))
      for (const name of names) circles.set(name, first)
    }
    return circles
  }
}

const patternMark = 'p'
const unitNode = (name: string): string => `u${name}`

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** Tarjan's strongly connected components of what is reached from `starts`, without recursion. */
function connectedParts(
  starts: readonly string[],
  next: (node: string) => readonly string[],
): string[][] {
  const parts: string[][] = []
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const open: string[] = []
  const isOpen = new Set<string>()
  const lower = (node: string, to: number): void => {
    if (to < (low.get(node) as number)) low.set(node, to)
  }
  const path: { node: string; children: readonly string[]; at: number }[] = []
  const enter = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.size - 1)
    open.push(node)
    isOpen.add(node)
    path.push({ node, children: next(node), at: 0 })
  }
  for (const start of starts) {
    if (!index.has(start)) enter(start)
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const child = step.children[step.at]
      step.at += 1
      if (child !== undefined) {
        if (!index.has(child)) enter(child)
        else if (isOpen.has(child)) lower(step.node, index.get(child) as number)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) lower(parent.node, low.get(step.node) as number)
      if (low.get(step.node) !== index.get(step.node)) continue
      const part = open.splice(open.lastIndexOf(step.node))
      for (const node of part) isOpen.delete(node)
      parts.push(part)
    }
  }
  return parts
}
