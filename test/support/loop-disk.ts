/**
 * Real file systems that fail for real: an ext4 in a file, mounted over a loop device. Everything
 * is in a mount namespace of the test's own, so that however the test ends, the kernel takes mounts
 * and loop devices away with its last process.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const inside = 'JANGADA_TEST_OWN_MOUNTS'

/** Runs `file` again in a mount namespace of its own and leaves with its exit code, unless it is. */
export function moveToOwnMounts(file: string): void {
  if (process.env[inside] === '1') return
  const { status } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', process.execPath, file, ...process.argv.slice(2)],
    { stdio: 'inherit', env: { ...process.env, [inside]: '1' } },
  )
  process.exit(status ?? 1)
}

/** Mounts need root; without it these tests cannot be had, and say so. */
export const cannotMount: string | false =
  process.getuid?.() === 0 ? false : 'mounting a file system needs root'

export function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
}

export interface LoopDiskOptions {
  readonly megabytes: number
  /** What the file under the file system may take up: less than it promises makes writes fail late. */
  readonly backingMegabytes?: number
}

export class LoopDisk {
  /** Where it is mounted. */
  readonly directory: string
  readonly #parent: string
  readonly #image: string
  readonly #hasBacking: boolean

  constructor({ megabytes, backingMegabytes }: LoopDiskOptions) {
    this.#parent = mkdtempSync(path.join(tmpdir(), 'jangada-loop-'))
    this.directory = path.join(this.#parent, 'mounted')
    const backing = path.join(this.#parent, 'backing')
    for (const each of [this.directory, backing]) mkdirSync(each)
    this.#hasBacking = backingMegabytes !== undefined
    if (this.#hasBacking)
      run('mount', '-t', 'tmpfs', '-o', `size=${backingMegabytes}M`, 'none', backing)
    this.#image = path.join(backing, 'image')
    writeFileSync(this.#image, '')
    truncateSync(this.#image, megabytes * 1024 * 1024)
    run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.#image)
    this.mount()
  }

  /** Replays the file system's journal, as after a power cut. */
  mount(...options: readonly string[]): void {
    run('mount', '-o', ['loop', ...options].join(','), this.#image, this.directory)
  }

  /** Nothing may have a file open in it. */
  unmount(): void {
    run('umount', this.directory)
  }

  /**
   * From here on every call fails with EIO, and what was not synced is lost: the nearest to pulling
   * the plug that a file system offers (EXT4_IOC_SHUTDOWN without flushing its journal).
   */
  shutdown(): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.directory)
  }

  /** What ext4 does by itself when it finds an error in its own structures. */
  abort(): void {
    run('mount', '-o', 'remount,abort', this.directory)
  }

  /** Takes all the room that is left. Returns what gives it back. */
  fill(): () => void {
    const file = path.join(this.directory, 'everything-else')
    spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k', 'conv=fsync'], { stdio: 'ignore' })
    return () => rmSync(file)
  }

  remove(): void {
    spawnSync('umount', [this.directory])
    if (this.#hasBacking) spawnSync('umount', [path.dirname(this.#image)])
    rmSync(this.#parent, { recursive: true, force: true })
  }
}
