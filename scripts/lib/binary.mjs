/** dist/jangada: the pinned Node, stripped, with the program and its files in one executable. */
import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Refusal, capture, filesUnder, hashOf, inRoot, pinnedNode } from './project.mjs'
import { root, say, seconds } from './project.mjs'
import { bundle } from './bundle.mjs'

/** Directories whose files travel in the binary under their own path. */
const assetDirectories = ['cloud-config', 'ipxe', 'systemd']

/** From Debian's ipxe package, as `loaders/NAME`; read by src/platform/assets.ts. */
const loadersDirectory = '/usr/lib/ipxe'
const loaders = ['undionly.kpxe', 'ipxe.efi', 'snponly.efi']

/** Node's own mark in the executable, by which it finds that a program was put into it. */
const sentinelFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/**
 * What a start makes is soon garbage: a small nursery gives its memory back (docs/bench/footprint.md).
 * And V8 may end a collection before its concurrent markers are done: then all of a large heap is
 * marked in one stop (docs/bench/million.md). Without them it is marked a millisecond at a time.
 * A node that serves a few hundred requests a second would run unoptimized code for minutes: what
 * is called again and again is optimized sooner than V8 does of itself (docs/bench/consensus.md).
 */
export const engineFlags = [
  ...['--max-semi-space-size=8', '--no-concurrent-marking'],
  '--invocation-count-for-maglev=50',
  '--minimum-invocations-after-ic-update=50',
  '--invocation-count-for-turbofan=600',
]

const output = inRoot('dist/jangada')
const stamp = inRoot('dist/.jangada-inputs')
const work = inRoot('.cache/build')

/** Builds dist/jangada, unless it was built from exactly these inputs. Resolves to its path. */
export async function buildBinary() {
  const assets = assetFiles()
  const inputs = hashOf([...sourceFiles(), ...Object.values(assets)], Object.keys(assets).join())
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) {
    return output
  }
  const startMs = Date.now()
  say('build: dist/jangada')
  mkdirSync(work, { recursive: true })
  mkdirSync(path.dirname(output), { recursive: true })
  await bundle('src/main.ts', path.join(work, 'main.cjs'))
  await bundle('src/platform/compute-worker.ts', path.join(work, 'worker.cjs'))
  await makeEntry()
  const made = ['main.cjs', 'main.cache', 'worker.cjs'].map((name) => [name, path.join(work, name)])
  await makeBlob({ ...assets, ...Object.fromEntries(made) })
  await joinWithNode()
  writeFileSync(stamp, inputs)
  const megabytes = (statSync(output).size / 1e6).toFixed(0)
  say(`build: dist/jangada, ${megabytes} MB (${seconds(startMs)})`)
  return output
}

const sourceFiles = () => [
  ...filesUnder(inRoot('src')),
  ...filesUnder(inRoot('scripts/lib')),
  inRoot('package.json'),
  inRoot('package-lock.json'),
]

/** The embedded files: name in the binary → where it is now. */
function assetFiles() {
  const assets = {}
  for (const directory of assetDirectories) {
    for (const file of filesUnder(inRoot(directory))) assets[path.relative(root, file)] = file
  }
  for (const name of loaders) {
    const file = path.join(loadersDirectory, name)
    if (!existsSync(file)) throw new Refusal(`build: ${file} is missing; run npm run setup first`)
    assets[`loaders/${name}`] = file
  }
  return assets
}

/** The small script that the binary begins with, and what it loads, as a function and its code cache. */
async function makeEntry() {
  const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  const entry = readFileSync(inRoot('scripts/lib/entry.cjs'), 'utf8')
  writeFileSync(
    path.join(work, 'entry.cjs'),
    entry.replaceAll('JANGADA_VERSION', JSON.stringify(version).slice(1, -1)),
  )
  const main = path.join(work, 'main.cjs')
  const program = readFileSync(main, 'latin1')
  writeFileSync(main, `(function (exports, require, module, __filename, __dirname) {${program}\n})`)
  const cache = path.join(work, 'main.cache')
  await must(pinnedNode, [...engineFlags, inRoot('scripts/lib/code-cache.cjs'), main, cache])
}

async function makeBlob(assets) {
  const config = {
    main: path.join(work, 'entry.cjs'),
    output: path.join(work, 'jangada.blob'),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: engineFlags,
    assets,
  }
  const file = path.join(work, 'sea.json')
  writeFileSync(file, JSON.stringify(config, undefined, 2))
  await must(pinnedNode, [...engineFlags, '--experimental-sea-config', file])
}

/**
 * Put together beside the old binary and renamed over it, which may be running. What postject
 * writes in one piece some kernels keep in pages of up to 2 MB, and count whole ones to every
 * process that touches a byte of them; a copy, as every machine gets it, is kept in small ones.
 */
async function joinWithNode() {
  const draft = `${output}.draft`
  const copy = `${output}.new`
  copyFileSync(pinnedNode, draft)
  chmodSync(draft, 0o755)
  await must('strip', [draft])
  const postject = inRoot('node_modules/postject/dist/cli.js')
  const blob = path.join(work, 'jangada.blob')
  const fuse = ['--sentinel-fuse', sentinelFuse]
  try {
    await must(pinnedNode, [postject, draft, 'NODE_SEA_BLOB', blob, ...fuse])
    copyFileSync(draft, copy)
    renameSync(copy, output)
  } finally {
    rmSync(draft, { force: true })
    rmSync(copy, { force: true })
  }
}

async function must(command, args) {
  const { code, output: said } = await capture(command, args)
  if (code !== 0) throw new Error(`build: ${path.basename(command)} ended with ${code}:\n${said}`)
}
