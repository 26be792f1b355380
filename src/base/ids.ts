/**
 * Branded identifiers. A plain string or number cannot be passed where one of these is asked
 * for, and one kind cannot be passed for another.
 */
import { assert } from './assert.ts'

declare const brand: unique symbol
type Branded<T, B extends string> = T & { readonly [brand]: B }

/** 32 lower-case hex digits. Stable for a machine (see `core/trust/machine-id`). */
export type MachineId = Branded<string, 'MachineId'>
/** 32 lower-case hex digits, made once by `jangada init`. */
export type ClusterId = Branded<string, 'ClusterId'>
/** A Raft participant. A safe integer > 0, given by the log and never used again. 0 is "none". */
export type MemberId = Branded<number, 'MemberId'>
/** A Raft term: a safe integer ≥ 0. */
export type Term = Branded<number, 'Term'>
/** A position in the Raft log: a safe integer ≥ 0; the first entry has index 1. */
export type Index = Branded<number, 'Index'>
/** A store revision: a safe integer ≥ 0; grows by one with each transaction that writes. */
export type Revision = Branded<number, 'Revision'>
/** A unit's full name: `web.service`, `web@3.service`. */
export type UnitName = Branded<string, 'UnitName'>
/** Grows by one each time a unit is placed; agents refuse one older than they have seen. */
export type Generation = Branded<number, 'Generation'>

const hexId = /^[0-9a-f]{32}$/

export const machineId = (text: string): MachineId => {
  assert(hexId.test(text), 'a machine id is 32 lower-case hex digits')
  return text as MachineId
}
export const isMachineId = (text: string): text is MachineId => hexId.test(text)
/** fleet's short form of a machine's id: what its lists show, and what its unit files may say. */
export const shortIdDigits = 8
const shortId = /^[0-9a-f]{8}$/
export const isShortMachineId = (text: string): boolean => shortId.test(text)
/** `asked` is the machine's id, or the short form of it. */
export const isIdOf = (asked: string, id: MachineId): boolean =>
  asked === id || (asked.length === shortIdDigits && id.startsWith(asked))
export const clusterId = (text: string): ClusterId => {
  assert(hexId.test(text), 'a cluster id is 32 lower-case hex digits')
  return text as ClusterId
}
const natural = (value: number, what: string): number => {
  assert(Number.isSafeInteger(value) && value >= 0, `${what} is a safe integer >= 0`)
  return value
}
export const memberId = (value: number): MemberId => natural(value, 'a member id') as MemberId
export const term = (value: number): Term => natural(value, 'a term') as Term
export const index = (value: number): Index => natural(value, 'an index') as Index
export const revision = (value: number): Revision => natural(value, 'a revision') as Revision
export const generation = (value: number): Generation =>
  natural(value, 'a generation') as Generation
/** The caller has checked the name (`core/units/names`), or read it from a record. */
export const unitName = (text: string): UnitName => text as UnitName

/** Nobody: no leader known, no vote cast. */
export const noMember = 0 as MemberId
