/**
 * The system image boots over a network: a virtual machine without a disk, with no hints, on a LAN
 * of its own, where dnsmasq gives addresses and this script is the boot node. The agent is a small
 * stand-in here, because what is tried is the image: that its engine runs a container, and that a
 * file with the wrong digest never runs at all.
 *
 *     node scripts/run.mjs test/long/image-boot.ts [IMAGE]      (as root)
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { utf8 } from '../../src/base/bytes.ts'
import { Assets } from '../../src/node/assets/assets.ts'
import type { StoredImage } from '../../src/node/assets/assets.ts'
import { readTarZstd } from '../../src/platform/archive.ts'
import { digestOfFile, newSha256, sha256OfText } from '../../src/platform/digest.ts'
import { directoryDisk } from '../../src/platform/disk.ts'

const namespace = 'jangada-image-boot'
const bridge = 'lan0'
const address = '10.77.0.1'
const server = `http://${address}:8080`
const bootMsMax = 240_000

/** Imports a root of a few files into the engine, and runs a container from it. */
const standIn = `#!/bin/sh
echo "stand-in: up with: $*"
until docker info >/dev/null 2>&1; do sleep 0.5; done
echo "stand-in: engine $(docker info -f '{{.ServerVersion}} {{.Driver}} {{.LiveRestoreEnabled}}')"
tar -C / -c usr/bin/dash usr/lib/x86_64-linux-gnu/libc.so.6 lib lib64 bin \\
  usr/lib64/ld-linux-x86-64.so.2 usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 2>/dev/null | docker import - hello >/dev/null
docker run --rm hello /usr/bin/dash -c 'echo "stand-in: container says $((6 * 7))"'
systemctl --failed --no-legend --plain | sed 's/^/stand-in: failed unit /'
echo 'stand-in: done'
exec sleep infinity
`

interface Story {
  readonly name: string
  readonly nic: string
  readonly binarySha256: string
  /** The boot is over when the console says this. */
  readonly ends: RegExp
  /** Each must have been said. */
  readonly says: readonly RegExp[]
}

const stories: readonly Story[] = [
  {
    name: 'a machine with a virtio card runs a container',
    nic: 'virtio-net-pci',
    binarySha256: sha256OfText(standIn),
    ends: /stand-in: done/,
    says: [/stand-in: up with: up --state-dir/, /overlay2 true/, /container says 42/],
  },
  {
    name: 'a machine with an Intel card runs a container',
    nic: 'e1000e',
    binarySha256: sha256OfText(standIn),
    ends: /stand-in: done/,
    says: [/stand-in: up with: up --state-dir/, /overlay2 true/, /container says 42/],
  },
  {
    name: 'an agent with the wrong digest never runs',
    nic: 'virtio-net-pci',
    binarySha256: '0'.repeat(64),
    ends: /FAILED: no agent binary|stand-in/,
    says: [/FAILED: no agent binary/],
  },
]

function script(image: StoredImage, story: Story): string {
  const url = (name: string): string =>
    `${server}/${image.manifest.files.find((file) => file.name === name)?.sha256 ?? ''}`
  const root = url('root.squashfs')
  const args = [
    image.manifest.bootArguments,
    'console=ttyS0,115200',
    'BOOTIF=01-${net0/mac:hexhyp}',
    `jangada.root=${root}`,
    `jangada.sha256=${root.slice(-64)}`,
    `jangada.binary=${server}/jangada`,
    `jangada.binary_sha256=${story.binarySha256}`,
    `jangada.time=${Math.floor(Date.now() / 1000)}`,
  ]
  return [
    '#!ipxe',
    `kernel ${url('vmlinuz')} ${args.join(' ')}`,
    `initrd --name initrd.img ${url('initrd.img')}`,
    'boot',
    '',
  ].join('\n')
}

/** The boot node's plain HTTP, for one story after the other. */
async function serve(assets: Assets, text: () => string): Promise<void> {
  const http = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1)
    const fixed = { script: text(), jangada: standIn }[name]
    if (fixed !== undefined) {
      response.setHeader('content-length', utf8(fixed).length)
      response.end(fixed)
      return
    }
    assets.open(name).then(
      (stream) => {
        response.setHeader('content-length', stream.size)
        Readable.from(stream.chunks).pipe(response)
      },
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => http.listen(8080, address, resolve))
}

function startDhcp(): ChildProcess {
  return spawn(
    'dnsmasq',
    [
      '--no-daemon',
      '--conf-file=/dev/null',
      '--port=0',
      `--interface=${bridge}`,
      '--bind-interfaces',
      '--dhcp-range=10.77.0.50,10.77.0.99,1h',
      '--dhcp-leasefile=/dev/null',
      `--dhcp-boot=${server}/script`,
    ],
    { stdio: 'ignore' },
  )
}

/** Boots one machine and returns what its console said, with seconds from power on. */
async function boot(story: Story): Promise<readonly string[]> {
  const network = 'tap,id=lan,ifname=tap0,script=no,downscript=no'
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi,tb-size=128', '-m', '1536', '-smp', '2', '-nodefaults'],
      ...['-no-reboot', '-display', 'none', '-vga', 'none', '-serial', 'stdio'],
      ...['-netdev', network, '-device', `${story.nic},netdev=lan,bootindex=1`],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const startedMs = performance.now()
  const late = setTimeout(() => machine.kill(), bootMsMax)
  const lines: string[] = []
  for await (const line of createInterface({ input: machine.stdout })) {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)
    if (!/jangada|stand-in|Kernel panic/.test(line)) continue
    lines.push(`${seconds} s ${line.trim()}`)
    console.log(`  ${lines.at(-1)}`)
    if (story.ends.test(line) || /Kernel panic/.test(line)) machine.kill()
  }
  clearTimeout(late)
  return lines
}

/** What runs inside the namespace. */
async function inside(archive: string): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'image-boot-'))
  let dhcp: ChildProcess | undefined
  let failed = 0
  try {
    const disk = directoryDisk(directory)
    const assets = await Assets.open({ disk, newSha256, unpack: readTarZstd })
    const { sha256 } = await digestOfFile(archive)
    const image = await assets.importImage(createReadStream(archive), sha256)
    console.log(`image ${image.manifest.version}`)
    let text = ''
    await serve(assets, () => text)
    dhcp = startDhcp()
    for (const story of stories) {
      text = script(image, story)
      console.log(story.name)
      const said = (await boot(story)).join('\n')
      const unsaid = story.says.filter((pattern) => !pattern.test(said))
      for (const pattern of unsaid) console.log(`  NOT SEEN: ${pattern.source}`)
      if (unsaid.length > 0 || /failed unit/.test(said)) failed += 1
    }
  } finally {
    dhcp?.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  console.log(`${stories.length - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** Makes the LAN, runs this script in it, and removes it. */
function outside(archive: string): number {
  const ip = (...args: string[]): void => {
    const result = spawnSync('ip', args, { stdio: ['ignore', 'inherit', 'inherit'] })
    if (result.status !== 0) throw new Error(`ip ${args.join(' ')} failed`)
  }
  ip('netns', 'add', namespace)
  try {
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
    ip('-n', namespace, 'link', 'add', bridge, 'type', 'bridge', 'stp_state', '0')
    ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', bridge)
    ip('netns', 'exec', namespace, 'ip', 'tuntap', 'add', 'tap0', 'mode', 'tap')
    ip('-n', namespace, 'link', 'set', 'tap0', 'master', bridge, 'up')
    ip('-n', namespace, 'link', 'set', bridge, 'up')
    const self = [process.execPath, import.meta.filename, archive, 'inside']
    const run = spawnSync('ip', ['netns', 'exec', namespace, ...self], { stdio: 'inherit' })
    return run.status ?? 1
  } finally {
    ip('netns', 'del', namespace)
  }
}

const [, , archive = 'dist/jangada-image.tar.zst', where] = process.argv
process.exit(where === 'inside' ? await inside(archive) : outside(archive))
