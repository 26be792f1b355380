/** Boot scripts from the templates in `ipxe/`, which the binary carries as text. */
import { assert } from '../../../base/assert.ts'
import { formatUuid } from '../hardware.ts'
import type { Mac, Uuid } from '../hardware.ts'
import type { Profile } from '../profiles/profile.ts'

export interface ScriptTemplates {
  /** `ipxe/boot.ipxe` */
  readonly boot: string
  /** `ipxe/wait.ipxe` */
  readonly wait: string
}

export interface BootScript {
  readonly mac: Mac
  readonly uuid: Uuid | undefined
  readonly profile: Pick<Profile, 'kernelArguments' | 'console'>
  readonly image: BootFiles
  /** The node that the machine asked, as `ADDRESS:PORT`; it serves the files too. */
  readonly server: string
  /** Where a new machine enrols: `ADDRESS:PORT`, the nearest first, at most `peersMax`. */
  readonly joinAddresses: readonly string[]
  /** SHA-256 of the cluster CA's SubjectPublicKeyInfo, hex. */
  readonly authorityPin: string
  readonly nonce: string
  /** Wall time for a machine whose own clock may be wrong by years. */
  readonly nowSeconds: number
}

/** One boot file, by what it is: an image that is replaced meanwhile cannot mix with this one. */
export interface BootFile {
  readonly name: string
  /** 64 lower-case hex digits. */
  readonly sha256: string
}

export interface BootFiles {
  readonly kernel: BootFile
  readonly initramfs: BootFile
  readonly root: BootFile
  /** The agent: the boot node's own version of it, whatever the image is. */
  readonly binary: BootFile
  /** Kernel arguments that the image itself needs. */
  readonly bootArguments: string
}

/** Enough to survive two dead peers, few enough for a kernel's 2048-byte command line. */
export const peersMax = 5

/**
 * The script that boots a machine. It carries no secret but the nonce. The kernel arguments named
 * `jangada.` are read by the image's initramfs and agent; a new one never changes an old one.
 */
export function renderBootScript(template: string, boot: BootScript): string {
  const { profile, image } = boot
  const url = (file: BootFile): string => `http://${boot.server}/boot/${file.sha256}/${file.name}`
  const argumentList = [
    ...image.bootArguments.split(' ').filter((one) => one !== ''),
    ...profile.kernelArguments,
    `console=${profile.console}`,
    `jangada.root=${url(image.root)}`,
    `jangada.sha256=${image.root.sha256}`,
    `jangada.binary=${url(image.binary)}`,
    `jangada.binary_sha256=${image.binary.sha256}`,
    `jangada.join=${boot.joinAddresses.slice(0, peersMax).join(',')}`,
    `jangada.pin=${boot.authorityPin}`,
    `jangada.nonce=${boot.nonce}`,
    `jangada.time=${Math.floor(boot.nowSeconds)}`,
    // Which of several network cards booted, in PXELINUX's spelling: type 01 is Ethernet.
    `BOOTIF=01-${boot.mac.replace(/:/g, '-')}`,
  ]
  return render(template, {
    mac: boot.mac,
    server: boot.server,
    kernel: url(image.kernel),
    initramfs: url(image.initramfs),
    arguments: argumentList.join(' '),
    script: scriptUrl(boot),
  })
}

/** `reason` is for the person in front of the console: one line, what to do included. */
export function renderWaitScript(
  template: string,
  wait: Pick<BootScript, 'mac' | 'uuid' | 'server'> & { readonly reason: string },
): string {
  return render(template, { reason: wait.reason, script: scriptUrl(wait) })
}

const scriptUrl = (boot: Pick<BootScript, 'mac' | 'uuid' | 'server'>): string =>
  `http://${boot.server}/boot/script.ipxe?mac=${boot.mac}` +
  (boot.uuid === undefined ? '' : `&uuid=${formatUuid(boot.uuid)}`)

/** Both sides of a template are ours, so a name without a value is our bug and not the caller's. */
function render(template: string, values: Readonly<Record<string, string>>): string {
  for (const [name, value] of Object.entries(values)) {
    assert(/^[\x20-\x7e]*$/.test(value), `${name} is one line of ASCII`)
    assert(!value.includes('${') && !value.includes('||'), `${name} is no iPXE code`)
  }
  return template.replace(/\{\{([a-z]+)\}\}/g, (_, name: string) => {
    const value = values[name]
    assert(value !== undefined, `the template's ${name} has a value`)
    return value
  })
}
