/**
 * Set-up: npm packages, the tap test class, Debian packages. Each part looks first and is silent
 * when nothing is missing, so that every command can begin with it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Refusal, capture, hashOf, inRoot, pinnedNode, run, say, seconds } from './project.mjs'
import { oneAtATime } from './lock.mjs'
import { debianPackages } from './packages.mjs'

/** How long to wait for another program that is installing packages. */
const aptLockSeconds = 600

/** With `machine`, also what needs root: the Debian packages. */
export async function setUp({ machine }) {
  refuseElsewhere(machine)
  const waiting = 'set-up: another one is under way in this directory; waiting for it'
  await oneAtATime(inRoot(), waiting, async () => {
    await installNpmPackages()
    await buildTapTestClass()
    if (machine) await installDebianPackages()
  })
}

function refuseElsewhere(machine) {
  if (process.platform !== 'linux') {
    throw new Refusal(
      `Jangada runs on Linux; this is ${process.platform}. Use a Debian 12 machine, real or virtual.`,
    )
  }
  if (!['x64', 'arm64'].includes(process.arch)) {
    throw new Refusal(`There is no pinned Node for ${process.arch}: x64 and arm64 are supported.`)
  }
  if (machine && process.getuid() !== 0) {
    throw new Refusal(
      'This makes network namespaces, mounts and virtual machines, so it needs root.\n' +
        `Run it again as root, for example: ${commandForRoot()}`,
    )
  }
}

/** npm before 9 runs a script as the owner of the directory, also when root asks. */
const firstNpmThatStaysRoot = 9

function commandForRoot() {
  const { npm_lifecycle_event: script, npm_config_user_agent: agent = '' } = process.env
  const npm = Number(/^npm\/(\d+)\./.exec(agent)?.[1] ?? 0)
  if (script === undefined || npm < firstNpmThatStaysRoot) {
    return `sudo node ${process.argv.slice(1).join(' ')}`
  }
  return ['start', 'test'].includes(script) ? `sudo npm ${script}` : `sudo npm run ${script}`
}

/** `npm ci` empties node_modules, so the stamp in there says which lock file it was made from. */
async function installNpmPackages() {
  const stamp = inRoot('node_modules/.jangada-lock-hash')
  const wanted = hashOf(['package-lock.json'].map((name) => inRoot(name)))
  const found = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
  if (found === wanted && existsSync(pinnedNode)) return
  const startMs = Date.now()
  say('set-up: installing npm packages, the pinned Node among them')
  // Errors only: the npm of Node 18 warns, five lines each, of ninety packages that want a newer
  // Node. They have one: they run on the pinned Node alone.
  const quietly = ['--loglevel=error', '--no-audit', '--no-fund']
  const code = await run('npm', ['ci', '--ignore-scripts', ...quietly])
  if (code !== 0) throw new Refusal('set-up: npm ci failed; its reason is above')
  if (!existsSync(pinnedNode)) throw new Refusal(`set-up: npm did not install ${pinnedNode}`)
  writeFileSync(stamp, wanted)
  say(`set-up: npm packages installed (${seconds(startMs)})`)
}

/**
 * tap composes its Test class from plugins and ships it composed with the TypeScript one, which
 * compiles every test with a TypeScript that has the old compiler's API; ours (7) has not, and
 * Node strips types by itself. `.taprc` leaves the plugin out, and the class is composed anew
 * here: tap does that in an install script, which we do not run, or else in the middle of the
 * first test run, whose runner has then loaded the old class already and fails.
 */
async function buildTapTestClass() {
  const composed = inRoot('node_modules/@tapjs/test/test-built/dist/esm/index.js')
  const isOurs =
    existsSync(inRoot('.tap/plugins')) &&
    existsSync(composed) &&
    !readFileSync(composed, 'utf8').includes('@tapjs/typescript')
  if (isOurs) return
  say("set-up: composing tap's test class")
  const tap = inRoot('node_modules/tap/dist/esm/run.mjs')
  const { code, output } = await capture(pinnedNode, [tap, 'build'])
  if (code !== 0) throw new Refusal(`set-up: tap build failed:\n${output}`)
}

async function installDebianPackages() {
  const missing = await missingDebianPackages()
  if (missing.length === 0) return
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Refusal(`set-up: this machine has no apt-get. Install by hand: ${missing.join(' ')}`)
  }
  const startMs = Date.now()
  say(`set-up: installing ${missing.length} Debian packages and what they need:`)
  for (const name of missing) say(`  ${name.padEnd(18)} ${debianPackages[name]}`)
  if (!hasPackageLists()) await updatePackageLists()
  let code = await aptInstall(missing)
  if (code !== 0) {
    say('set-up: that failed; once more with fresh package lists')
    await updatePackageLists()
    code = await aptInstall(missing)
  }
  const still = await missingDebianPackages()
  if (code !== 0 || still.length > 0) {
    throw new Refusal(`set-up: apt-get could not install ${still.join(' ')}; its reason is above`)
  }
  say(`set-up: Debian packages installed (${seconds(startMs)})`)
}

async function missingDebianPackages() {
  const names = Object.keys(debianPackages)
  const format = '${db:Status-Status} ${Package}\n'
  let output
  try {
    ;({ output } = await capture('dpkg-query', ['-W', '-f', format, ...names]))
  } catch {
    return names
  }
  const installed = new Set(
    output.split('\n').map((line) => /^installed (\S+)$/.exec(line)?.[1] ?? ''),
  )
  return names.filter((name) => !installed.has(name))
}

function hasPackageLists() {
  const directory = '/var/lib/apt/lists'
  return existsSync(directory) && readdirSync(directory).some((name) => /_Packages/.test(name))
}

async function updatePackageLists() {
  say('set-up: fetching package lists')
  const code = await apt(['update', '-q'])
  if (code !== 0) throw new Refusal('set-up: apt-get update failed; its reason is above')
}

const aptInstall = (names) => apt(['install', '-q', '-y', '--no-install-recommends', ...names])

/** Shows what takes time or goes wrong, and leaves out what dpkg says about every file. */
async function apt(args) {
  const shown = /^(Get:|Err:|E:|W:|Setting up|Need to get|Waiting|dpkg: error)/
  return run('apt-get', ['-o', `DPkg::Lock::Timeout=${aptLockSeconds}`, ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    onLine: (line) => {
      if (shown.test(line)) say(`  ${line}`)
    },
  })
}
