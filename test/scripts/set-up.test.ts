/**
 * What the two commands say where they cannot run, before anything is installed: they are tried in
 * a clone that has nothing yet.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

const repository = path.join(import.meta.dirname, '../..')
const clone = mkdtempSync(path.join(tmpdir(), 'jangada-set-up-'))
t.teardown(() => rmSync(clone, { recursive: true }))
cpSync(path.join(repository, 'scripts'), path.join(clone, 'scripts'), { recursive: true })
mkdirSync(path.join(clone, 'test'))
writeFileSync(path.join(clone, 'test/any.test.ts'), '')
const filesOfClone = (): string[] => readdirSync(clone, { recursive: true }) as string[]
const untouched = filesOfClone()

interface Machine {
  /** JavaScript that makes the process believe that it is elsewhere. */
  readonly pretend: string
  readonly npm?: string
}

/** As npm runs a script: the result, and that nothing was installed or built. */
function runScript(t: Test, name: 'start' | 'test', { pretend, npm = '9.2.0' }: Machine) {
  const preload = `data:text/javascript,${encodeURIComponent(pretend)}`
  const script = path.join(clone, 'scripts', `${name}.mjs`)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, script], {
    encoding: 'utf8',
    env: {
      ...process.env,
      npm_lifecycle_event: name,
      npm_config_user_agent: `npm/${npm} node/v18.20.4 linux x64 workspaces/false`,
    },
  })
  t.same(filesOfClone(), untouched, 'nothing is changed')
  return { status, stdout, stderr, script }
}

const notRoot = 'process.getuid = () => 1000'
const elsewhere = "Object.defineProperty(process, 'platform', { value: 'darwin' })"

for (const name of ['start', 'test'] as const) {
  t.test(`npm ${name} without root: one message with the command to type`, async (t) => {
    const { status, stdout, stderr } = runScript(t, name, { pretend: notRoot })
    t.equal(status, 1)
    t.equal(stdout, '')
    t.match(stderr, /needs root/)
    t.ok(stderr.endsWith(`\nRun it again as root, for example: sudo npm ${name}\n`), stderr)
  })

  t.test(`npm ${name} with an npm that gives up root names a command that works`, async (t) => {
    const { stderr, script } = runScript(t, name, { pretend: notRoot, npm: '8.19.4' })
    t.ok(stderr.endsWith(`for example: sudo node ${script}\n`), stderr)
  })

  t.test(`npm ${name} on another system than Linux: one message with what to use`, async (t) => {
    const { status, stdout, stderr } = runScript(t, name, { pretend: elsewhere })
    t.same({ status, stdout }, { status: 1, stdout: '' })
    t.match(stderr, /^Jangada runs on Linux; this is darwin\. Use a Debian 12 machine, .*\n$/)
  })
}

t.test('programs that only root runs are found after `su`, whose PATH lacks them', async (t) => {
  const project = pathToFileURL(path.join(repository, 'scripts/lib/project.mjs')).href
  const look = "capture('sh', ['-c', 'command -v debootstrap'])"
  const output = execFileSync(
    process.execPath,
    [
      '-e',
      `import('${project}').then(({ capture }) => ${look}).then((r) => console.log(r.output))`,
    ],
    { encoding: 'utf8', env: { PATH: '/usr/local/bin:/usr/bin:/bin' } },
  )
  t.match(output, /\/sbin\/debootstrap$/m)
})
