/** What a rack is made of, and its file, so that another process can go on with it. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { defaultRackName, rackPaths } from './names.ts'
import type { ProcessRef } from './processes.ts'
import { orUndefined, rackError } from './world.ts'

export interface HostSpec {
  readonly kind: 'host'
  readonly name: string
  /** 1 to `hostsMax`; the last byte of the address. */
  readonly index: number
  readonly address: string
  readonly mac: string
  /** The SMBIOS UUID that programs on the host see; lower-case with hyphens. */
  readonly uuid: string
}

export interface BlankSpec {
  readonly kind: 'blank'
  readonly name: string
  readonly mac: string
  readonly uuid: string
  readonly memoryMb: number
  readonly cpus: number
}

export type MachineSpec = HostSpec | BlankSpec

export interface RackSpec {
  readonly version: 1
  readonly name: string
  readonly stateDir: string
  readonly switch: ProcessRef
  /** Seen as /usr/local/bin/jangada on every host; undefined for a rack without the product. */
  readonly binary: string | undefined
  readonly hosts: readonly HostSpec[]
  readonly blanks: readonly BlankSpec[]
}

/** Written when a machine is switched on; a machine that is off may still have an old one. */
export interface BootRecord {
  /** The host's PID 1, or the virtual machine's process, as seen from outside. */
  readonly init: ProcessRef
}

/** Whole or not at all: other processes may read at any time. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.new`
  await writeFile(temporary, `${JSON.stringify(value, undefined, 2)}\n`)
  await rename(temporary, file)
}

/** The rack's own files are trusted: only root writes them. Undefined when there is none. */
export async function readJson<T>(file: string): Promise<T | undefined> {
  const text = await orUndefined(readFile(file, 'utf8'))
  return text === undefined ? undefined : (JSON.parse(text) as T)
}

/** Throws `JGD_RACK` when no rack of this name has its state in `stateDir`. */
export async function readSpec(name: string, stateDir: string): Promise<RackSpec> {
  const spec = await readJson<RackSpec>(rackPaths(stateDir).spec)
  if (spec?.version === 1 && spec.name === name) return spec
  const how = name === defaultRackName ? '' : ` --name ${name}`
  throw rackError(`there is no rack "${name}" in ${stateDir}`, `Start one: jangada rack up${how}`)
}

export const readBoot = (directory: string): Promise<BootRecord | undefined> =>
  readJson<BootRecord>(path.join(directory, 'boot.json'))

export const writeBoot = (directory: string, record: BootRecord): Promise<void> =>
  writeJson(path.join(directory, 'boot.json'), record)
