/**
 * The binary and the system image on a Debian machine that has never seen the repository: first a
 * whole cluster of one, then a boot node, and a machine with nothing on it that joins it. Both are
 * virtual machines on a LAN of their own; the blank one has no disk and no hint of what to boot.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import type {
  EventsAnswer,
  ImageRow,
  MachinesAnswer,
  PendingMachine,
  PublicUnitRow,
  StatusReport,
  UnitsAnswer,
} from '../../src/node/api/answers.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { runCommand } from '../../src/platform/commands.ts'
import { digestOfFile } from '../../src/platform/digest.ts'
import { buildBusyboxImage } from '../../src/tools/rack/images.ts'
import { until } from '../../src/tools/rack/world.ts'
import { smallImage } from '../node/assets/small-image.ts'
import { switchOnBlank, type BlankMachine } from './machines/blank-machine.ts'
import { debianDisk, mediaDirectory, mediaDisk } from './machines/debian-disk.ts'
import { bootDebian, type DebianMachine, type Said } from './machines/debian-machine.ts'
import { makeLan } from './machines/lan.ts'

const repository = path.join(import.meta.dirname, '../..')
const imageName = 'jangada-image.tar.zst'
const image = path.join(repository, 'dist', imageName)
const media = (name: string): string => path.join(mediaDirectory, name)

/** An emulated processor without help from the hardware is ten to twenty times slower. */
const storyMsMax = 14 * 60_000
const buildMsMax = 10 * 60_000
const unitsMsMax = 300_000
const importMsMax = 240_000
const bootMsMax = 240_000
const pollMs = 1000

/** Sending the real image takes half a minute; a wrong digest is as wrong for a small one. */
const smallFiles = Object.fromEntries(
  ['vmlinuz', 'initrd.img', 'root.squashfs'].map((name) => [name, utf8(`no ${name}`)]),
)

const clock = systemClock()
const directory = mkdtempSync(path.join(tmpdir(), 'without-repository-'))
const consoleOf = (machine: string): string => path.join(directory, `${machine}.console`)
const blankIdentity = {
  mac: '52:54:00:77:00:02',
  uuid: '6a616e67-6164-4a00-8000-000000000002',
} as const

t.setTimeout(storyMsMax)
t.teardown(() => rmSync(directory, { recursive: true }))

const lan = await makeLan()
t.teardown(() => lan.remove())
for (const script of ['build.mjs', 'build-image.mjs']) {
  await runCommand(process.execPath, [path.join(repository, 'scripts', script)], {
    timeoutMs: buildMsMax,
  })
}
const { sha256 } = await digestOfFile(image)
const startedMs = clock.monotonicMs()
const host = await bootHost()
t.teardown(() => host.powerOff())
let blank: BlankMachine | undefined
t.teardown(() => blank?.powerOff())
tell('the Debian machine takes commands')

/** Seconds since the machines of this story were first switched on. */
function tell(what: string): void {
  const seconds = (clock.monotonicMs() - startedMs) / 1000
  t.comment(`${seconds.toFixed(1).padStart(6)} s  ${what}`)
}

async function bootHost(): Promise<DebianMachine> {
  const disk = await debianDisk('10.77.0.1/24', (step) => t.comment(JSON.stringify(step)))
  const files = {
    jangada: path.join(repository, 'dist/jangada'),
    [imageName]: image,
    'small.tar.zst': (await smallImage(directory, smallFiles)).file,
    examples: path.join(repository, 'examples'),
    // The examples' one image: there is no registry on this LAN.
    'busybox.tar': await buildBusyboxImage(directory),
  }
  lan.addTap('debian')
  return bootDebian({
    lan,
    tap: 'debian',
    mac: '52:54:00:77:00:01',
    uuid: '6a616e67-6164-4a00-8000-000000000001',
    disk,
    media: await mediaDisk(directory, files),
    memoryMb: 1536,
    cpus: 2,
    consoleFile: consoleOf('debian'),
  })
}

async function json<T>(command: string): Promise<T> {
  return JSON.parse(await host.must(`jangada ${command} --json`)) as T
}

/** As a service, with nothing but the binary; `systemctl stop` ends it. */
const up = (options: string): Promise<string> =>
  host.must(
    'systemd-run --quiet --collect --unit jangada --property KillMode=process ' +
      `--property Restart=always jangada up ${options}`,
  )

const journal = (): Promise<string> =>
  host.must('journalctl --unit jangada --no-pager | tail -n 40')

/**
 * What every node tells everybody, asked with bash alone: starting the CLI costs an emulated
 * processor two seconds, which a look every second would take from what is looked at.
 */
async function status(): Promise<StatusReport<PublicUnitRow> | undefined> {
  const ask =
    "exec 3<>/dev/tcp/127.0.0.1/7380 && printf 'GET /status HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
  const { code, output } = await host.run(ask)
  const body = output.indexOf('\r\n\r\n')
  if (code !== 0 || body < 0) return undefined
  return JSON.parse(output.slice(body)) as StatusReport<PublicUnitRow>
}

const isMachineReady = async (id: string): Promise<true | undefined> => {
  const { machines = [], leader = null } = (await status()) ?? {}
  const isReady = machines.some((machine) => machine.id === id && machine.status === 'ready')
  return (leader !== null && isReady) || undefined
}

const seen = <T>(what: string, timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> =>
  until(clock, { what, timeoutMs, pollMs, evidence: journal }, look)

/** Named containers that the engine itself says it runs, by unit. */
const containers = async (): Promise<readonly string[]> =>
  (await host.must('docker ps --no-trunc --format "{{.ID}} {{.Image}}"'))
    .trim()
    .split('\n')
    .toSorted()

let hostId = ''

await t.test('`jangada init` makes a cluster, once', async (t) => {
  await host.must(`install ${media('jangada')} /usr/local/bin/`)
  const made = await json<{ machineId: string; adminToken: string }>('init')
  hostId = made.machineId
  t.match(made.adminToken, /^A1\./)
  const again = await host.run('jangada init')
  t.equal(again.code, 1)
  t.match(again.output, /JGD_ALREADY_INITIALIZED/, 'a second one is refused')
})

await t.test('an image is imported only with its own digest', async (t) => {
  const importing = (name: string, digest: string): Promise<Said> =>
    host.run(`jangada image import ${media(name)} --sha256 ${digest}`, importMsMax)
  const wrong = await importing('small.tar.zst', '0'.repeat(64))
  t.equal(wrong.code, 1)
  t.match(wrong.output, /JGD_DIGEST_MISMATCH/)
  t.equal((await importing(imageName, sha256)).code, 0)
  tell('the image is imported')
})

await t.test('`jangada up` alone is a whole cluster of one', async (t) => {
  await up('--metadata disk=ssd')
  await seen('the machine leads itself', unitsMsMax, () => isMachineReady(hostId))
  const { images } = await json<{ images: readonly ImageRow[] }>('image ls')
  t.same(
    images.map((one) => one.sha256),
    [sha256],
    'with the one image that it was given',
  )
  tell('a cluster of one')
})

await t.test('it runs the same unit files, by the same rules', async (t) => {
  await host.must(`docker load -i ${media('busybox.tar')}`)
  await host.must(
    `sed 's/^MachineID=.*/MachineID=${hostId}/' ${media('examples/only-here.service.in')} >/tmp/only-here.service`,
  )
  const inExamples = (command: string): Promise<string> =>
    host.must(`cd ${media('examples')} && jangada ${command}`, unitsMsMax)
  await inExamples('submit ./*.service')
  await inExamples('start /tmp/only-here.service web.service web-cache.service hello@1')
  await inExamples('start --no-block db-a db-b node-agent')
  const started = ['db-a', 'db-b', 'hello@1', 'node-agent', 'only-here', 'web', 'web-cache']
  const units = await seen('the examples run', unitsMsMax, async () => {
    const rows = ((await status())?.units ?? []).filter(({ desired }) => desired === 'launched')
    const active = rows.filter((row) => row.active === 'active')
    return active.length >= started.length - 1 ? rows : undefined
  })
  const names = (rows: readonly PublicUnitRow[]): string[] =>
    rows.map(({ name }) => name.replace('.service', '')).toSorted()
  const active = units.filter((row) => row.active === 'active')
  t.same(names(units), started)
  const [waiting, ...others] = names(units.filter((row) => row.active !== 'active'))
  t.match(waiting, /^db-[ab]$/, 'of two that may not meet, one runs')
  t.same(others, [])
  t.match(await host.must(`jangada why ${waiting}`), /refused.*db-/s, 'and it is said why')
  t.equal((await containers()).length, active.length, 'the engine says the same')
  t.match(await host.must('jangada logs hello@1'), /hello 1: hello@1\.service on debian/)
  tell(`${active.length} units run`)
})

await t.test('started again as a boot node, it leaves what runs alone', async (t) => {
  const before = await containers()
  await host.must('systemctl stop jangada')
  await up('--metadata disk=ssd --link eth0')
  await seen('it is back', unitsMsMax, () => isMachineReady(hostId))
  // Later than the API, because it hashes what it serves; firmware that is not answered in time
  // gives up for good.
  await seen('it serves blank machines', unitsMsMax, async () => {
    const { code } = await host.run('journalctl --unit jangada | grep -q "blank machines may boot"')
    return code === 0 || undefined
  })
  t.same(await containers(), before)
  tell('back with --link eth0, the same containers')
})

let blankId = ''

/** There is no such image on a machine that has just come, and no registry to pull it from. */
const lacksImage = /JGD_IMAGE_MISSING.*busybox:jangada/

await t.test('a blank machine asks to join, and gets nothing before it may', async (t) => {
  lan.addTap('p-blank')
  blank = switchOnBlank(lan, { ...blankIdentity, name: 'blank', consoleFile: consoleOf('blank') })
  tell('the blank machine has power')
  await seen(
    'the blank machine says that it waits',
    bootMsMax,
    async () =>
      /waiting to be admitted/.test(readFileSync(consoleOf('blank'), 'utf8')) || undefined,
  )
  const pending = await json<{ machines: readonly PendingMachine[] }>('machines --pending')
  t.equal(pending.machines.length, 1)
  const [waiting] = pending.machines as [PendingMachine]
  blankId = waiting.id
  t.equal(waiting.uuid.toLowerCase(), blankIdentity.uuid)
  t.same(waiting.macs, [blankIdentity.mac])
  t.match(readFileSync(consoleOf('blank'), 'utf8'), new RegExp(`jangada admit ${waiting.id}`))
  const { machines } = await json<MachinesAnswer>('machines')
  t.same(
    machines.map(({ id }) => id),
    [hostId],
    'it is no machine of the cluster',
  )
  const { units } = await json<UnitsAnswer>('units')
  t.notOk(
    units.some(({ machine }) => machine === blankId),
    'and has no unit',
  )
  tell('it asks to join')
})

await t.test('admitted, it is a machine like any other', async (t) => {
  await host.must(`jangada admit ${blankId}`)
  await seen('it is ready', bootMsMax, () => isMachineReady(blankId))
  tell('admitted and ready')
  // Only what the machine's own agent says: while an emulated processor starts an engine, a pulse may
  // be late enough for the machine to count as lost, and then that is what is said of its units.
  const there = await seen('units are tried there', unitsMsMax, async () => {
    const { units } = await json<UnitsAnswer>('units')
    const rows = units.filter(
      ({ machine, message }) => machine === blankId && lacksImage.test(message),
    )
    return rows.length === 2 ? rows : undefined
  })
  const [copy, agent] = there.toSorted((a, b) => a.name.localeCompare(b.name))
  t.equal(agent?.name, 'node-agent.service', 'the global unit')
  t.match(copy?.name, /^db-[ab]\.service$/, 'and the copy that had to wait for a second machine')
  for (const { name, active, sub, message } of there) {
    tell(`${name} there: ${active} (${sub}): ${message}`)
  }
})

const isLong = process.env['JANGADA_TEST_LONG'] === '1'
const skip = isLong ? false : 'a second boot is for npm run test:long -- without-repository'

await t.test('after a power cut it comes back with nobody asked', { skip }, async (t) => {
  await blank?.powerOff()
  await seen('it counts as lost', unitsMsMax, async () =>
    (await isMachineReady(blankId)) === true ? undefined : true,
  )
  tell('its power is cut; it is lost')
  blank = switchOnBlank(lan, { ...blankIdentity, name: 'blank', consoleFile: consoleOf('blank-2') })
  await seen('it is ready again', bootMsMax, () => isMachineReady(blankId))
  tell('ready again')
  const { events } = await json<EventsAnswer>('events')
  const approvals = events.filter(({ kind }) => kind === 'machine.approved')
  t.equal(approvals.length, 1, 'an operator was asked once')
})
