/**
 * Renews this machine's certificate well before it ends. A certificate that ended all the same
 * locks nobody out, because the key is the identity; it is only told as a warning (ARCHITECTURE 8).
 */
import { describeError } from '../base/errors.ts'
import { isOutOfDate, isRenewalDue } from '../core/trust/certificate.ts'
import type { IdentityFiles } from '../node/enrol/identity-files.ts'
import { writeCertificate } from '../node/enrol/identity-files.ts'
import type { RenewRequest } from '../node/enrol/messages.ts'
import { type Clock, sleep } from '../ports/clock.ts'
import type { Crypto, KeyPair } from '../ports/crypto.ts'
import type { Disk } from '../ports/disk.ts'
import type { Log } from '../ports/log.ts'

const lookEveryMs = 3_600_000

export interface RenewalOptions {
  readonly files: IdentityFiles
  readonly key: KeyPair
  readonly address: string
  readonly crypto: Crypto
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Log
  readonly renew: (request: RenewRequest) => Promise<{ readonly certificatePem: string }>
  /** From here on every door shows the new certificate. */
  readonly onRenewed: (files: IdentityFiles) => void
  readonly signal: AbortSignal
}

/** Runs until `signal` aborts. Never rejects. */
export async function keepCertificate(options: RenewalOptions): Promise<void> {
  const { crypto, clock, disk, log, key, address, signal } = options
  let { files } = options
  while (!signal.aborted) {
    try {
      const facts = await crypto.readCertificate(files.certificatePem, files.authorityPem)
      if (facts !== undefined && isRenewalDue(facts, clock.wallMs())) {
        if (isOutOfDate(facts, clock.wallMs())) log.warn('this certificate is out of date')
        const request = await crypto.makeRequest(key, files.machineId)
        const { certificatePem } = await options.renew({ request, addresses: [address] })
        await writeCertificate(disk, certificatePem)
        files = { ...files, certificatePem }
        options.onRenewed(files)
        log.info('the certificate is renewed')
      }
    } catch (error) {
      log.warn('the certificate was not renewed', { cause: describeError(error) })
    }
    await sleep(clock, lookEveryMs, signal)
  }
}
