/**
 * The image that works without a registry: `busybox:jangada`, made from Debian's busybox-static.
 * The tar is the same to the byte wherever it is made, and so is the image's id.
 */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { findProgram } from './requirements.ts'
import { must } from './processes.ts'

export const busyboxImage = 'busybox:jangada'

const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex')

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Returns the path of a tar that `docker load` takes. Made anew at each call: 0.1 s. */
export async function buildBusyboxImage(directory: string): Promise<string> {
  const root = path.join(directory, 'busybox')
  const image = path.join(directory, 'busybox-image')
  await rm(root, { recursive: true, force: true })
  await rm(image, { recursive: true, force: true })
  await makeRoot(root)
  await mkdir(image, { recursive: true })
  await packTar(root, path.join(image, 'layer.tar'))
  const layer = await readFile(path.join(image, 'layer.tar'))
  const config = JSON.stringify({
    architecture: architectures[process.arch] ?? process.arch,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Cmd: ['sh'], Env: ['PATH=/bin'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'jangada rack' }],
  })
  const configName = `${sha256(config)}.json`
  const manifest = [{ Config: configName, RepoTags: [busyboxImage], Layers: ['layer.tar'] }]
  await writeFile(path.join(image, configName), config)
  await writeFile(path.join(image, 'manifest.json'), JSON.stringify(manifest))
  const tar = path.join(directory, 'busybox.tar')
  await packTar(image, `${tar}.new`)
  await rename(`${tar}.new`, tar)
  await rm(root, { recursive: true })
  await rm(image, { recursive: true })
  return tar
}

async function makeRoot(root: string): Promise<void> {
  for (const dir of ['bin', 'etc', 'tmp', 'root', 'www', 'var']) {
    await mkdir(path.join(root, dir), { recursive: true })
  }
  const busybox = await findProgram('busybox')
  await copyFile(busybox, path.join(root, 'bin/busybox'))
  const applets = (await must([busybox, '--list'])).split('\n')
  for (const applet of applets) {
    if (applet !== '' && applet !== 'busybox') {
      await symlink('busybox', path.join(root, 'bin', path.basename(applet)))
    }
  }
  await writeFile(path.join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await writeFile(path.join(root, 'etc/group'), 'root:x:0:\n')
}

/** Sorted, without times and owners, so that equal trees make equal files. */
const packTar = (directory: string, file: string): Promise<string> => {
  const order = ['--format=ustar', '--sort=name', '--mtime=@0']
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u+rwX,go+rX']
  return must([
    'tar',
    '--create',
    ...order,
    ...owner,
    `--file=${file}`,
    `--directory=${directory}`,
    '.',
  ])
}
