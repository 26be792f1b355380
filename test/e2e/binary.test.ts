/** The binary alone, on a Debian with nothing in it: no Node, no npm, no build tools. */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const root = path.join(import.meta.dirname, '..', '..')
const binary = path.join(root, 'dist', 'jangada')
/** Kept between runs: fetching a Debian takes a minute. */
const cache = '/var/cache/jangada-build'

/** As many times as long as a program of Node's own that does nothing. */
const startFactorMax = 2
const compressedBytesMax = 36e6
const starts = 21

/** Fetching a Debian and compressing the binary hold the whole process, on a slow machine long. */
const timeoutMs = 600_000
t.setTimeout(timeoutMs)

/** A Debian as debootstrap's smallest variant makes it. */
function bareDebian(): string {
  const directory = path.join(cache, 'minbase')
  if (existsSync(directory)) return directory
  mkdirSync(cache, { recursive: true })
  const draft = mkdtempSync(path.join(cache, 'minbase-'))
  execFileSync('debootstrap', ['--variant=minbase', 'bookworm', draft], { stdio: 'ignore' })
  renameSync(draft, directory)
  return directory
}

t.test('it runs in a bare Debian', { timeout: timeoutMs }, (t) => {
  const debian = bareDebian()
  const inside = mkdtempSync(path.join(debian, 'tmp', 'jangada-'))
  copyFileSync(binary, path.join(inside, 'jangada'))
  execFileSync('mount', ['-t', 'proc', 'proc', path.join(debian, 'proc')])
  t.teardown(() => {
    execFileSync('umount', [path.join(debian, 'proc')])
    rmSync(inside, { recursive: true })
  })
  t.notOk(existsSync(path.join(debian, 'usr/bin/node')), 'there is no Node')
  const command = path.join('/', path.relative(debian, inside), 'jangada')
  const { stdout, stderr, status } = spawnSync('chroot', [debian, command, '--version'], {
    encoding: 'utf8',
  })
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  t.same({ stdout, stderr, status }, { stdout: `${manifest.version}\n`, stderr: '', status: 0 })
  t.end()
})

t.test('it needs nothing of Node: an unknown command is a coded mistake', (t) => {
  const { stderr, status } = spawnSync(binary, ['no-such-command'], { encoding: 'utf8' })
  t.equal(status, 2)
  t.match(stderr, /no-such-command/)
  t.end()
})

/** Side by side, because the machine may be busy; `npm run bench -- footprint` has milliseconds. */
t.test('it starts at once, so nothing is loaded that --version does not need', (t) => {
  const timed = (file: string, ...args: readonly string[]): number => {
    const startMs = performance.now()
    execFileSync(file, args)
    return performance.now() - startMs
  }
  const own: number[] = []
  const bare: number[] = []
  for (let start = 0; start < starts; start += 1) {
    own.push(timed(binary, '--version'))
    bare.push(timed(process.execPath, '-e', '0'))
  }
  const [ownMs, bareMs] = [Math.min(...own), Math.min(...bare)]
  t.comment(`fastest of ${starts}: ${ownMs.toFixed(1)} ms, and Node itself ${bareMs.toFixed(1)} ms`)
  t.ok(ownMs <= startFactorMax * bareMs, `at most ${startFactorMax} times as long`)
  t.end()
})

t.test('it is small enough to send', { timeout: timeoutMs }, (t) => {
  const directory = t.testdir()
  const compressed = path.join(directory, 'jangada.zst')
  execFileSync('zstd', ['-q', '-19', '-T2', binary, '-o', compressed])
  const { size } = statSync(compressed)
  t.comment(`zstd -19: ${(size / 1e6).toFixed(1)} MB`)
  t.ok(size <= compressedBytesMax, `${compressedBytesMax / 1e6} MB at most`)
  t.end()
})
