/**
 * What a machine remembers of the images that its units had pulled: since when nothing has used them, and by
 * which names units know them. An image that is not among them came by somebody else's hand.
 */

export interface PulledImage {
  /** The digest of its configuration. */
  readonly id: string
  /** By which units had it pulled, as the engine writes names; newest last. */
  readonly names: readonly string[]
  /** When it was pulled, or a unit's container last had it; by the machine's wall clock. */
  readonly lastUsedMs: number
}

/** A pull that has begun: should its end go unseen, a new image under the name came by it. */
export interface BegunPull {
  readonly name: string
  /** What the name meant before; absent when nothing. */
  readonly idBefore?: string
  /** By the machine's wall clock. */
  readonly begunMs: number
}

export interface PulledImages {
  /** No two of one id; at most `imagesMax`. */
  readonly images: readonly PulledImage[]
  /** No two of one name; at most `pullsMax`. */
  readonly pulls: readonly BegunPull[]
}

export const nothingPulled: PulledImages = { images: [], pulls: [] }

/** More than a machine's disk holds of any but the smallest; the longest unused are forgotten, and stay. */
export const imagesMax = 4096
/** More than run at once, and those that no agent has seen the end of. */
export const pullsMax = 64
/** Names of one image; of more, the oldest are forgotten, and the image stays while it has them. */
export const namesMax = 16

/** How long an engine may go on with a pull of an agent that is no more: it ends it when it notices. */
const unseenMsMax = 600_000

/** What an earlier pull of the name may have brought unseen counts as brought by this one. */
export function withBegun(known: PulledImages, { begunMs, ...pull }: BegunPull): PulledImages {
  const earlier = known.pulls.find(({ name }) => name === pull.name)
  const others = known.pulls.filter((each) => each !== earlier)
  return { ...known, pulls: [...others, { ...(earlier ?? pull), begunMs }].slice(-pullsMax) }
}

/** Of a pull that nobody waits for: `idNow` is what its name means now, which may change yet. */
export function withUnseen(
  known: PulledImages,
  pull: BegunPull,
  idNow: string | undefined,
  nowMs: number,
): PulledImages {
  const hasCome = idNow !== undefined && idNow !== pull.idBefore
  if (hasCome || Math.abs(nowMs - pull.begunMs) > unseenMsMax) {
    return withEnded(known, pull.name, idNow, nowMs)
  }
  return known
}

/**
 * After a pull has ended, well or badly: `idAfter` is what the name means now. Where that is what it
 * meant before, nothing came, and whoever put the image there keeps it.
 */
export function withEnded(
  known: PulledImages,
  name: string,
  idAfter: string | undefined,
  nowMs: number,
): PulledImages {
  const pull = known.pulls.find((each) => each.name === name)
  const pulls = known.pulls.filter((each) => each !== pull)
  if (pull === undefined || idAfter === undefined) return { ...known, pulls }
  const before = known.images.find(({ id }) => id === idAfter)
  if (before === undefined && idAfter === pull.idBefore) return { ...known, pulls }
  const names = [...(before?.names ?? []).filter((each) => each !== name), name].slice(-namesMax)
  const image = { id: idAfter, names, lastUsedMs: nowMs }
  const others = known.images.filter((each) => each !== before)
  return { pulls, images: bounded([...others, image]) }
}

const bounded = (images: readonly PulledImage[]): readonly PulledImage[] =>
  images.length <= imagesMax
    ? images
    : images.toSorted((a, b) => b.lastUsedMs - a.lastUsedMs).slice(0, imagesMax)

/** Units' containers have these images now. The same object when none of them is known. */
export function withUsed(
  known: PulledImages,
  ids: ReadonlySet<string>,
  nowMs: number,
): PulledImages {
  if (!known.images.some(({ id }) => ids.has(id))) return known
  const used = (image: PulledImage): PulledImage => ({ ...image, lastUsedMs: nowMs })
  return { ...known, images: known.images.map((each) => (ids.has(each.id) ? used(each) : each)) }
}

/** After the clock was set back: what was used later than now was used now at the latest. */
export function notAfter(known: PulledImages, nowMs: number): PulledImages {
  if (known.images.every(({ lastUsedMs }) => lastUsedMs <= nowMs)) return known
  const clamped = ({ lastUsedMs, ...image }: PulledImage): PulledImage => {
    return { ...image, lastUsedMs: Math.min(lastUsedMs, nowMs) }
  }
  return { ...known, images: known.images.map(clamped) }
}

/** Without what the engine no longer has. */
export const withoutGone = (known: PulledImages, gone: ReadonlySet<string>): PulledImages => ({
  ...known,
  images: known.images.filter(({ id }) => !gone.has(id)),
})
