/** Simulated directories: names as processes see them, as the medium holds them, and the journal. */
import type { SeededRandom } from '../../src/base/random.ts'
import { DiskError } from '../../src/ports/disk.ts'
import type { FileNode } from './disk-file-node.ts'
import type { DiskFaultCounts } from './disk.ts'

export type Node = FileNode | DirectoryNode

export class DirectoryNode {
  /** What processes see. */
  entries = new Map<string, Node>()
  /** What the medium holds. */
  readonly durable = new Map<string, Node>()

  find(path: string): Node | undefined {
    return path
      .split('/')
      .filter((part) => part !== '')
      .reduce<Node | undefined>(
        (node, part) => (node instanceof DirectoryNode ? node.entries.get(part) : undefined),
        this,
      )
  }

  parentOf(path: string): { directory: DirectoryNode; name: string } {
    const parts = path.split('/').filter((part) => part !== '')
    const name = parts.pop()
    const directory = this.find(parts.join('/'))
    if (name === undefined) throw new DiskError('EINVAL', 'the root has no name')
    if (directory === undefined) throw new DiskError('ENOENT', `${path}: no such directory`)
    if (directory instanceof DirectoryNode) return { directory, name }
    throw new DiskError('ENOTDIR', `${path}: a file is in the way`)
  }

  /** Every file below, as processes see it. */
  *files(): Iterable<FileNode> {
    for (const node of this.entries.values()) {
      if (node instanceof DirectoryNode) yield* node.files()
      else yield node
    }
  }

  /** What a machine finds when it has power again. */
  revertToDurable(): void {
    this.entries = new Map(this.durable)
    for (const node of this.entries.values()) {
      if (node instanceof DirectoryNode) node.revertToDurable()
    }
  }
}

/** `name` in `directory` now means `node`, or nothing. */
export interface NameChange {
  readonly directory: DirectoryNode
  readonly name: string
  readonly node: Node | undefined
}

/**
 * Changes of names that are not durable yet. The changes of one record become durable together;
 * records that touch the same name do so in order; nothing else is promised.
 */
export class NameJournal {
  #records: (readonly NameChange[])[] = []

  record(changes: readonly NameChange[]): void {
    for (const change of changes) set(change.directory.entries, change)
    this.#records.push(changes)
  }

  /** Makes durable what touches `directory`, and the earlier records that those build upon. */
  sync(directory: DirectoryNode): void {
    const chosen = new Set<readonly NameChange[]>()
    const needed = new Names()
    for (const changes of this.#records.toReversed()) {
      const touches = changes.some((change) => change.directory === directory)
      if (!touches && !needed.hasAny(changes)) continue
      chosen.add(changes)
      needed.add(changes)
    }
    for (const changes of this.#records) if (chosen.has(changes)) makeDurable(changes)
    this.#records = this.#records.filter((changes) => !chosen.has(changes))
  }

  /** The power goes: each record is kept or lost, and what builds upon a lost one is lost too. */
  settleBySeed(random: SeededRandom, counts: DiskFaultCounts): void {
    const lost = new Names()
    for (const changes of this.#records) {
      if (lost.hasAny(changes) || random.chance(0.5)) {
        lost.add(changes)
        counts.lostNames += 1
      } else {
        makeDurable(changes)
        counts.keptNames += 1
      }
    }
    this.#records = []
  }
}

class Names {
  readonly #names = new Map<DirectoryNode, Set<string>>()

  add(changes: readonly NameChange[]): void {
    for (const { directory, name } of changes) {
      const names = this.#names.get(directory) ?? new Set()
      this.#names.set(directory, names.add(name))
    }
  }

  hasAny(changes: readonly NameChange[]): boolean {
    return changes.some(({ directory, name }) => this.#names.get(directory)?.has(name) === true)
  }
}

function makeDurable(changes: readonly NameChange[]): void {
  for (const change of changes) set(change.directory.durable, change)
}

function set(entries: Map<string, Node>, { name, node }: NameChange): void {
  if (node === undefined) entries.delete(name)
  else entries.set(name, node)
}
