/** Serves network boot on this node's boot links: DHCP, TFTP and the routes for plain HTTP. */
import type { ScriptTemplates } from '../../core/netboot/ipxe/script.ts'
import type { NonceCrypto } from '../../core/netboot/nonce.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Datagrams } from '../../ports/datagrams.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { Bindings, BootCluster, BootLink } from './bindings.ts'
import { openDhcpServer } from './dhcp-server.ts'
import type { OnForeignServer } from './dhcp-server.ts'
import { bootRoutes } from './http.ts'
import type { BootAssets, BootBinary, BootRoutes } from './http.ts'
import type { OnBootStep } from './boot-step.ts'
import { openTftpServer } from './tftp-server.ts'

export interface BootdOptions {
  readonly datagrams: Datagrams
  readonly clock: Clock
  readonly crypto: Pick<NonceCrypto, 'hmacSha256'>
  readonly log: Log
  readonly metrics: Metrics
  readonly links: readonly BootLink[]
  readonly bindings: Bindings
  readonly cluster: BootCluster
  readonly assets: BootAssets
  readonly binary: BootBinary
  /** iPXE builds by file name: what TFTP serves, and all that it serves. */
  readonly loaders: ReadonlyMap<string, Uint8Array>
  readonly templates: ScriptTemplates
  /** The plain HTTP door on which the web server calls `routes`. */
  readonly httpPort: number
  readonly onBootStep: OnBootStep
  readonly onForeignServer: OnForeignServer
}

export interface Bootd {
  readonly routes: BootRoutes
  close(): void
}

/**
 * Opens ports 67 and 69 on every link, or none of them. Rejects with the coded errors of
 * `Datagrams.open`. After that nothing that arrives on the network makes it fail.
 */
export async function openBootd(options: BootdOptions): Promise<Bootd> {
  const opened: { close(): void }[] = []
  const close = (): void => {
    for (const one of opened.splice(0)) one.close()
  }
  try {
    for (const link of options.links) {
      opened.push(await openDhcpServer({ ...options, link }))
      opened.push(await openTftpServer({ ...options, link: link.link, files: options.loaders }))
    }
  } catch (error) {
    close()
    throw error
  }
  return { routes: bootRoutes(options), close }
}
