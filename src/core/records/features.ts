/**
 * What a release may write, so that the one before it can still run beside it. The cluster's
 * level is the lowest of its members': the leader raises the setting `featureLevel` once every
 * member's binary knows the next level, and it never falls. Commands and records of a higher
 * level are not written before.
 */
import type { Command } from '../store/types.ts'

/** The highest level that this binary knows. Raised by a release that adds to the lists below. */
export const featureLevel = 4

/** Of a member or a machine that has not said: the first release did not say. */
export const firstFeatureLevel = 1

/** The level that each feature came with. A feature's level never changes. */
export const features = {
  /** `/jangada/voting/MACHINE`: what people want of a machine's vote. */
  votingWishes: 2,
  /** The setting `volatileVoters`. */
  volatileVoters: 2,
  /** Unit files with a `[Container]` section, or with keys of `[X-Fleet]` that fleet does not know. */
  ownUnitKeys: 3,
  /** `/jangada/labels/MACHINE`: labels of a machine that has not come yet. */
  labelsAhead: 3,
  /** `drain` of a machine. */
  drain: 3,
  /** Keys of unit files about failing and dying: `lifeKeys` in `core/units/keys.ts`. */
  lifeKeys: 4,
  /** The status `left` of a machine. */
  leave: 4,
  /** `/jangada/leaving/MACHINE/UNIT`: what holds its room until its container is gone. */
  leaving: 4,
  /** `moving` of a placement. */
  moving: 4,
  /** `/jangada/volumes/NAME/MACHINE`. */
  volumes: 4,
} as const
export type Feature = keyof typeof features

/** The level from which on each command may enter the log. */
export const commandLevels: Readonly<Record<Command['kind'], number>> = {
  transaction: 1,
  leaseGrant: 1,
  leaseRevoke: 1,
  compact: 1,
}

/** The level that a cluster with these members may have; no members say nothing. */
export const levelOfMembers = (levels: readonly (number | undefined)[]): number =>
  levels.length === 0
    ? firstFeatureLevel
    : Math.min(...levels.map((level) => level ?? firstFeatureLevel))
