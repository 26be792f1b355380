/** One observed step of a machine's boot, and the record of the latest boots. */
import type { Mac } from '../../core/netboot/hardware.ts'
import type { DhcpClient } from '../../core/netboot/dhcp/client.ts'

export type BootStep =
  | {
      readonly kind: 'discover' | 'offer' | 'request' | 'ack'
      /** Firmware, iPXE and the system each ask for themselves. */
      readonly client: DhcpClient['kind']
    }
  | { readonly kind: 'file-begin'; readonly file: string; readonly over: 'tftp' | 'http' }
  | {
      readonly kind: 'file-end'
      readonly file: string
      readonly over: 'tftp' | 'http'
      readonly complete: boolean
    }
  | { readonly kind: 'script' }
  | { readonly kind: 'enrolled' }

/** `atMs` is wall time. */
export type OnBootStep = (mac: Mac, step: BootStep, atMs: number) => void

export interface TimedBootStep {
  readonly step: BootStep
  readonly atMs: number
}

export interface BootTimelineEntry {
  readonly mac: Mac
  /** Of the latest boot, oldest first. */
  readonly steps: readonly TimedBootStep[]
}

/** Machines remembered; the one whose last step is oldest is forgotten first. */
export const timelineMachinesMax = 256
/** A whole boot has about twenty; a machine that loops keeps its latest. */
export const timelineStepsMax = 64

/**
 * Invariants: at most `timelineMachinesMax` machines, each with 1 to `timelineStepsMax` steps of
 * one boot; the machines are in the order of their last steps.
 */
export class BootTimeline {
  readonly #steps = new Map<Mac, TimedBootStep[]>()

  readonly record: OnBootStep = (mac, step, atMs) => {
    const before = this.#steps.get(mac) ?? []
    const last = before.at(-1)
    const steps = beginsBoot(step, before) ? [] : before
    // A retransmission is the same step: its first time is the one that tells how long it took.
    if (steps.length === 0 || last === undefined || !sameStep(last.step, step)) {
      steps.push({ step, atMs })
    }
    if (steps.length > timelineStepsMax) steps.shift()
    this.#steps.delete(mac)
    this.#steps.set(mac, steps)
    if (this.#steps.size <= timelineMachinesMax) return
    const [oldest] = this.#steps.keys()
    if (oldest !== undefined) this.#steps.delete(oldest)
  }

  /** The machine whose last step is newest comes last. */
  entries(): readonly BootTimelineEntry[] {
    return [...this.#steps].map(([mac, steps]) => ({ mac, steps: [...steps] }))
  }

  of(mac: Mac): readonly TimedBootStep[] {
    return [...(this.#steps.get(mac) ?? [])]
  }
}

/**
 * A DISCOVER begins a boot when it comes from firmware, or from iPXE in a machine that had already
 * come past its script: then iPXE itself is the firmware.
 */
function beginsBoot(step: BootStep, before: readonly TimedBootStep[]): boolean {
  if (step.kind !== 'discover') return false
  if (step.client === 'pxe' || step.client === 'uefi-http') {
    return before.at(-1)?.step.kind !== 'offer' || pastFirmware(before)
  }
  return step.client === 'ipxe' && before.some((one) => one.step.kind === 'script')
}

const pastFirmware = (steps: readonly TimedBootStep[]): boolean =>
  steps.some(({ step }) => step.kind !== 'discover' && step.kind !== 'offer')

const sameStep = (a: BootStep, b: BootStep): boolean => JSON.stringify(a) === JSON.stringify(b)
