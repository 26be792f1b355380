/** Network boot on this machine's boot links, over the real network, disk and binary. */
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { fromUtf8 } from '../base/bytes.ts'
import { describeError, JangadaError } from '../base/errors.ts'
import { images } from '../core/records/keyspace.ts'
import type { ImageRecord } from '../core/records/schemas.ts'
import type { Operation } from '../core/store/types.ts'
import { formatIpv4, parseIpv4 } from '../core/netboot/ipv4.ts'
import { isKernelArgument } from '../core/netboot/profiles/profile.ts'
import { defaultPool } from '../core/netboot/pool.ts'
import type { ImageRow } from '../node/api/answers.ts'
import type { ApiImages } from '../node/api/context.ts'
import { imageRow } from '../node/api/images.ts'
import { Assets, type StoredImage } from '../node/assets/assets.ts'
import type { BootLink } from '../node/bootd/bindings.ts'
import { type Bootd, openBootd } from '../node/bootd/bootd.ts'
import type { BootTimeline } from '../node/bootd/boot-step.ts'
import { StoreBindings } from '../node/bootd/store-bindings.ts'
import { storeCluster } from '../node/bootd/store-cluster.ts'
import type { ClusterCore } from '../node/cluster-core.ts'
import { putEvent } from '../node/controllers/context.ts'
import { decideAndCommit, readRecord, unchanged } from '../node/enrol/context.ts'
import { readIdentity } from '../node/enrol/identity-files.ts'
import { readTarZstd } from '../platform/archive.ts'
import { embeddedAsset, isBinary } from '../platform/assets.ts'
import { udpDatagrams } from '../platform/datagrams.ts'
import { digestOfFile, newSha256 } from '../platform/digest.ts'
import { directoryDisk } from '../platform/disk.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { Disk } from '../ports/disk.ts'
import type { Entropy } from '../ports/entropy.ts'
import type { Log } from '../ports/log.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { UpConfig } from './config.ts'
import { linkNamed } from './machine.ts'

const loaderNames = ['undionly.kpxe', 'ipxe.efi', 'snponly.efi'] as const
const leaseSeconds = 3600
const bootKeyRetryMs = 500
const announceRetryMs = 1000

export interface BootServiceOptions {
  readonly config: UpConfig
  readonly core: ClusterCore
  readonly disk: Disk
  readonly clock: Clock
  readonly crypto: Crypto
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  readonly timeline: BootTimeline
  readonly address: string
  readonly authorityPem: string
  readonly machineId: string
  readonly signal: AbortSignal
}

/** Rejects with JGD_LINK_UNKNOWN, or when a boot port is taken. */
export async function openBootService(
  options: BootServiceOptions,
  assets: Assets,
): Promise<Bootd | undefined> {
  const { config, core, clock, log, metrics, crypto, timeline, signal } = options
  if (config.bootLinks.length === 0) return undefined
  const links = config.bootLinks.map(toBootLink)
  config.kernelArguments.forEach(checkKernelArgument)
  let nonceKey: Uint8Array | undefined
  void followBootKey(options, (key) => {
    nonceKey = key
  })
  const own = links.flatMap(({ link }) => parseIpv4(link.address) ?? [])
  const cluster = storeCluster({
    store: core.store,
    clock,
    log,
    signal,
    ownAddress: options.address,
    enrolPort: config.ports.api,
    authorityPin: crypto.spkiHash(options.authorityPem),
    nonceKey: () => nonceKey,
    kernelArguments: config.kernelArguments,
  })
  const bindings = new StoreBindings({
    store: core.store,
    clock,
    log,
    reserved: () => [...own, ...cluster.bootServers()],
    signal,
  })
  return openBootd({
    datagrams: udpDatagrams(),
    clock,
    crypto,
    log,
    metrics,
    links,
    bindings,
    cluster,
    assets,
    binary: await ownBinary(),
    loaders: new Map(loaderNames.map((name) => [name, embeddedAsset(`loaders/${name}`)])),
    templates: {
      boot: fromUtf8(embeddedAsset('ipxe/boot.ipxe')),
      wait: fromUtf8(embeddedAsset('ipxe/wait.ipxe')),
    },
    httpPort: config.ports.plain,
    onBootStep: timeline.record,
    onForeignServer: ({ link, server }) => {
      const message = `another DHCP server, ${formatIpv4(server)}, answers on ${link}`
      const event = { kind: 'boot.foreign-dhcp', severity: 'alarm', message } as const
      const then = [putEvent(options, { ...event, code: 'JGD_FOREIGN_DHCP' })]
      core.store.transact({ compare: [], then, otherwise: [] }).catch((error: unknown) => {
        log.warn('the alarm was not written', { cause: describeError(error) })
      })
    },
  })
}

export interface HeldImages extends ApiImages {
  /** Tells the cluster of every image that is here; until it has heard, or is stopped. */
  announce(): Promise<void>
}

/** Images as people reach them; an import is told to the cluster, with who holds it. */
export function imagesOf(options: BootServiceOptions, assets: Assets): HeldImages {
  const { core, clock, machineId } = options
  /** Writes who holds the image: this machine beside, or no more among, those that do. */
  const note = ({ manifest }: StoredImage, isHere: boolean): Promise<void> =>
    decideAndCommit(core.store, async () => {
      const found = await readRecord(core.store, images, manifest.name)
      const files = manifest.files.map(({ name, sha256, size }) => ({ name, sha256, bytes: size }))
      const isSame = JSON.stringify(found?.value.files) === JSON.stringify(files)
      const others = isSame ? (found?.value.holders ?? []).filter((id) => id !== machineId) : []
      const record: ImageRecord = {
        v: 1,
        name: manifest.name,
        importedMs: clock.wallMs(),
        kernelVersion: manifest.kernel,
        files,
        holders: isHere ? [...others, machineId] : others,
      }
      const key = images.key(manifest.name)
      const then: Operation[] =
        record.holders.length > 0 ? [images.put(record, manifest.name)] : [{ kind: 'delete', key }]
      return { value: undefined, compare: [unchanged(key, found)], then }
    })
  return {
    announce: async () => {
      while (!options.signal.aborted) {
        try {
          for (const image of await assets.images()) await note(image, true)
          return
        } catch (error) {
          options.log.debug('images are not announced yet', { cause: describeError(error) })
          await sleep(clock, announceRetryMs, options.signal)
        }
      }
    },
    list: () => assets.images(),
    import: async (archive, sha256) => {
      const image = await assets.importImage(archive, sha256)
      await note(image, true)
      return image
    },
    remove: async (name) => {
      const image = await assets.image(name)
      if (image === undefined) return false
      await note(image, false)
      return assets.removeImage(name)
    },
  }
}

/**
 * For a machine whose node is not up: the image is announced when it is. Rejects with
 * JGD_NOT_INITIALIZED when the directory belongs to no cluster, or as `Assets.importImage`.
 */
export async function importIntoState(
  stateDirectory: string,
  archive: AsyncIterable<Uint8Array>,
  sha256: string,
): Promise<ImageRow> {
  const disk = directoryDisk(stateDirectory)
  if ((await readIdentity(disk)) === undefined) {
    throw new JangadaError('JGD_NOT_INITIALIZED', `${stateDirectory} belongs to no cluster yet`, {
      hint: '"jangada init" or "jangada join" first',
    })
  }
  return imageRow(await (await openAssets(disk)).importImage(archive, sha256))
}

export const openAssets = (disk: Disk): Promise<Assets> =>
  Assets.open({ disk, newSha256, unpack: readTarZstd })

function checkKernelArgument(text: string): void {
  if (isKernelArgument(text)) return
  throw new JangadaError('JGD_USAGE', `"${text}" cannot be an argument of a kernel`, {
    hint: 'one word, without quotes and spaces, that does not begin with "jangada."',
  })
}

function toBootLink(name: string): BootLink {
  const link = linkNamed(name)
  const address = link === undefined ? undefined : parseIpv4(link.address)
  if (link === undefined || address === undefined) {
    throw new JangadaError(
      'JGD_LINK_UNKNOWN',
      `link "${name}" is not there or has no IPv4 address`,
      {
        hint: 'see "ip addr" for the links; the boot link needs a fixed address',
      },
    )
  }
  const pool = defaultPool({ address, prefixLength: link.prefixLength })
  return { link, pool, router: undefined, nameServers: [], timeServers: [], leaseSeconds }
}

/** The boot nodes' shared key comes sealed to this machine, once it votes. */
async function followBootKey(
  { core, clock, log, signal }: BootServiceOptions,
  found: (key: Uint8Array) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const key = await core.enrol.secrets.bootKey()
      if (key !== undefined) {
        found(key)
        return
      }
    } catch (error) {
      log.debug('the boot key cannot be read yet', { cause: describeError(error) })
    }
    await sleep(clock, bootKeyRetryMs, signal)
  }
}

/** What every machine booted from here will run: this same file. */
async function ownBinary(): Promise<Parameters<typeof openBootd>[0]['binary']> {
  const file = isBinary()
    ? process.execPath
    : path.join(import.meta.dirname, '..', '..', 'dist', 'jangada')
  const { sha256, size } = await digestOfFile(file)
  return {
    sha256,
    size,
    open: ({ start, end }) => Readable.from(createReadStream(file, { start, end: end - 1 })),
  }
}
