/**
 * What a medium does to sectors that it had made durable: one decays into noise, or a write went
 * to the place of another, which leaves zeros where it should be.
 *
 * Of the log, only what a valid frame follows: a disk that loses the very last frame it said was
 * durable cannot be told from one that never got it, by any log without a second copy.
 */
import { concat } from '../../src/base/bytes.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import { readFrame } from '../../src/node/wal/frame.ts'
import { sequenceOf, walPaths } from '../../src/node/wal/paths.ts'
import { firstFrameOffset } from '../../src/node/wal/segment.ts'
import type { SimulatedDisk } from './disk.ts'

const sectorBytes = 512

export interface Damage {
  readonly kind: 'corrupted' | 'misdirected'
  readonly path: string
  /** Of the sector that is not what it was. */
  readonly offset: number
  /** To be called while the machine is off. */
  readonly happen: () => void
}

/** Undefined when there is nothing yet that could be damaged. */
export function damageOf(
  disk: SimulatedDisk,
  random: SeededRandom,
  kind: Damage['kind'],
): Damage | undefined {
  const candidates = filesOf(disk).filter(({ sectors }) => sectors.length >= 2)
  if (candidates.length === 0) return undefined
  const { path, sectors } = random.pick(candidates)
  const [lost, struck] = random.shuffle(sectors) as [number, number]
  const happen = (): void => {
    const offset = struck * sectorBytes
    if (kind === 'corrupted') {
      disk.overwrite(path, offset, random.bytes(sectorBytes))
      return
    }
    const written = disk.peek(path).subarray(lost * sectorBytes, (lost + 1) * sectorBytes)
    disk.overwrite(path, offset, concat([written]))
    disk.overwrite(path, lost * sectorBytes, new Uint8Array(written.length))
  }
  return { kind, path, offset: struck * sectorBytes, happen }
}

/** Files of the log, with the sectors that may be damaged. */
function filesOf(disk: SimulatedDisk): { path: string; sectors: number[] }[] {
  const { segments, snapshots } = walPaths('wal')
  const upTo = (length: number): number[] =>
    Array.from({ length: Math.floor(length / sectorBytes) }, (_, at) => at)
  const logs = disk.names(segments).map((name) => {
    const path = `${segments}/${name}`
    return { path, sectors: upTo(lastFrameOf(disk.peek(path), sequenceOf(name) ?? 0)) }
  })
  const states = disk.names(snapshots).map((name) => {
    const path = `${snapshots}/${name}`
    return { path, sectors: upTo(disk.peek(path).length) }
  })
  return [...logs, ...states]
}

/** Where the last frame begins; 0 when there is none. */
function lastFrameOf(bytes: Uint8Array, sequence: number): number {
  let last = 0
  for (let offset = firstFrameOffset; ;) {
    const found = readFrame(bytes, sequence, offset)
    if (found.kind !== 'frame') return last
    last = offset
    offset = found.end
  }
}
