/** The settings that people may change while the cluster runs, as text. */
import type { ClusterSettingsRecord } from './schemas.ts'

/** What a cluster does that has not been told otherwise. */
export const defaults = {
  replacementsPerSecond: 25,
  /** As the kubelet's: 15 % of a disk is still room for some large images at once. */
  imageCollectionCeilingPercent: 85,
  /** Far enough below that a machine near the ceiling does not collect with every image that comes. */
  imageCollectionFloorPercent: 75,
} as const

/** Slower than one in ten seconds would be no replacement; faster than this nothing is. */
const rateMin = 0.1
const rateMax = 10_000

export interface Setting {
  readonly name: string
  /** For people: what may be written. */
  readonly values: string
  /** One line for people. */
  readonly about: string
  readonly read: (settings: ClusterSettingsRecord) => string
  /** Undefined when `text` is no value of it. An empty text is the default. */
  readonly write: (
    settings: ClusterSettingsRecord,
    text: string,
  ) => ClusterSettingsRecord | undefined
}

/** Below it a disk is not looked at: nobody wants it emptier. */
export const ceilingPercentMin = 10
const ceilingPercentMax = 99

const oneOf = <const Word extends string>(words: readonly Word[], text: string): Word | undefined =>
  words.find((word) => word === text)

const admissions = ['sticky', 'approve', 'auto'] as const
const statuses = ['full', 'counts', 'off'] as const

const ceilingOf = ({
  imageCollectionCeilingPercent = defaults.imageCollectionCeilingPercent,
}: ClusterSettingsRecord) => imageCollectionCeilingPercent
const floorOf = ({
  imageCollectionFloorPercent = defaults.imageCollectionFloorPercent,
}: ClusterSettingsRecord) => imageCollectionFloorPercent

/** Undefined when `text` is no whole number of the range; an empty one is `usual`. */
function percent(
  text: string,
  { usual, least, most }: { readonly usual: number; readonly least: number; readonly most: number },
): number | undefined {
  const value = text === '' ? usual : /^\d{1,2}$/.test(text) ? Number(text) : NaN
  return value >= least && value <= most ? value : undefined
}

/** Between what a machine's disk is held; undefined when nothing is collected. */
export function collectionBounds(
  settings: ClusterSettingsRecord,
): { readonly ceilingPercent: number; readonly floorPercent: number } | undefined {
  const ceilingPercent = ceilingOf(settings)
  if (ceilingPercent === 'off') return undefined
  return { ceilingPercent, floorPercent: floorOf(settings) }
}

/** What is wrong with settings of which each alone is right. */
export function contradiction(settings: ClusterSettingsRecord): string | undefined {
  const bounds = collectionBounds(settings)
  if (bounds === undefined || bounds.floorPercent < bounds.ceilingPercent) return undefined
  const { floorPercent: floor, ceilingPercent: ceiling } = bounds
  return (
    `image-collection-floor-percent=${floor} is not below ` +
    `image-collection-ceiling-percent=${ceiling}: set both at once`
  )
}

export const settingsList: readonly Setting[] = [
  {
    name: 'admission',
    values: admissions.join(', '),
    about: 'what becomes of a machine that boots from the network',
    read: ({ admission }) => admission,
    write: (settings, text) => {
      const admission = oneOf(admissions, text === '' ? 'sticky' : text)
      return admission === undefined ? undefined : { ...settings, admission }
    },
  },
  {
    name: 'image-collection-ceiling-percent',
    values: `${ceilingPercentMin} to ${ceilingPercentMax}, or off`,
    about: 'in use of a disk, beyond which images go that no unit needs',
    read: (settings) => String(ceilingOf(settings)),
    write: (settings, text) => {
      const ceiling =
        text === 'off'
          ? text
          : percent(text, {
              usual: defaults.imageCollectionCeilingPercent,
              least: ceilingPercentMin,
              most: ceilingPercentMax,
            })
      return ceiling === undefined
        ? undefined
        : { ...settings, imageCollectionCeilingPercent: ceiling }
    },
  },
  {
    name: 'image-collection-floor-percent',
    values: `0 to ${ceilingPercentMax - 1}, below the ceiling`,
    about: 'in use of a disk, at which no more images go',
    read: (settings) => String(floorOf(settings)),
    write: (settings, text) => {
      const usual = defaults.imageCollectionFloorPercent
      const floor = percent(text, { usual, least: 0, most: ceilingPercentMax - 1 })
      return floor === undefined ? undefined : { ...settings, imageCollectionFloorPercent: floor }
    },
  },
  {
    name: 'replacements-per-second',
    values: `${rateMin} to ${rateMax}`,
    about: 'how fast units start elsewhere when many machines are lost at once',
    read: ({ replacementsPerSecond = defaults.replacementsPerSecond }) =>
      String(replacementsPerSecond),
    write: (settings, text) => {
      if (text === '') {
        return { ...settings, replacementsPerSecond: defaults.replacementsPerSecond }
      }
      const rate = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN
      return rate >= rateMin && rate <= rateMax
        ? { ...settings, replacementsPerSecond: rate }
        : undefined
    },
  },
  {
    name: 'status',
    values: statuses.join(', '),
    about: 'what the page tells without a credential',
    read: ({ status }) => status,
    write: (settings, text) => {
      const status = oneOf(statuses, text === '' ? 'full' : text)
      return status === undefined ? undefined : { ...settings, status }
    },
  },
]
