/** How a container says whose it is. Labels outlive the agent, and the unit's own record. */
import type { Generation, UnitName } from '../../base/ids.ts'
import type { StopRule } from './types.ts'

/** Every unit's container carries this one, whichever cluster it belongs to. */
export const unitContainerLabel = { name: 'jangada.kind', value: 'unit' } as const

export interface Ownership {
  readonly clusterId: string
  readonly unit: UnitName
  readonly generation: Generation
  readonly hash: string
  /** Of the machine, when the container was made. */
  readonly bootId: string
  /** Starts of the unit before this one, under the same placement. */
  readonly restarts: number
  /** So that it can be stopped as the unit wants when the unit is known no more. */
  readonly stop: StopRule
  /** Present when the unit must never run twice: its grace when it is fenced. */
  readonly fenceGraceMs?: number
}

const forEver = 'infinity'

export function writeLabels(owner: Ownership): Record<string, string> {
  return {
    [unitContainerLabel.name]: unitContainerLabel.value,
    'jangada.cluster': owner.clusterId,
    'jangada.unit': owner.unit,
    'jangada.generation': String(owner.generation),
    'jangada.hash': owner.hash,
    'jangada.boot': owner.bootId,
    'jangada.restarts': String(owner.restarts),
    'jangada.stop-signal': owner.stop.signal ?? '',
    'jangada.stop-grace-ms': String(owner.stop.graceMs ?? forEver),
    ...(owner.fenceGraceMs === undefined
      ? {}
      : { 'jangada.fence-grace-ms': String(owner.fenceGraceMs) }),
  }
}

/** Undefined when they are not labels that `writeLabels` has written. */
export function readLabels(labels: Readonly<Record<string, string>>): Ownership | undefined {
  const clusterId = labels['jangada.cluster']
  const unit = labels['jangada.unit']
  const hash = labels['jangada.hash']
  const generation = readCount(labels['jangada.generation'])
  const restarts = readCount(labels['jangada.restarts'])
  const graceText = labels['jangada.stop-grace-ms']
  const graceMs = graceText === forEver ? undefined : readCount(graceText)
  const signal = labels['jangada.stop-signal']
  if (clusterId === undefined || unit === undefined || hash === undefined) return undefined
  if (generation === undefined || restarts === undefined || signal === undefined) return undefined
  if (graceMs === undefined && graceText !== forEver) return undefined
  const fenceGraceMs = readCount(labels['jangada.fence-grace-ms'])
  return {
    ...(fenceGraceMs === undefined ? {} : { fenceGraceMs }),
    clusterId,
    unit: unit as UnitName,
    generation: generation as Generation,
    hash,
    bootId: labels['jangada.boot'] ?? '',
    restarts,
    stop: { signal: signal === '' ? undefined : signal, graceMs },
  }
}

function readCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/**
 * A name that the engine takes, never the same for two placements: `jangada-web-17` for
 * `web.service`, `jangada-web_403-17` for `web@3.service`. What the engine would not take is
 * written in hex after an underscore, and so is the underscore.
 */
export function containerName(unit: string, generation: Generation): string {
  const legible = unit
    .replace(/\.service$/, '')
    .replaceAll(
      /[^A-Za-z0-9.-]/g,
      (character) => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
  return `jangada-${legible}-${generation}`
}
