/**
 * Somebody on the boot link who has read a boot script: presents its nonce with a key of his own,
 * in the name of the machine that it was meant for. Prints what he is told, as JSON.
 *
 *     node replay-nonce.ts DOOR NONCE PIN MAC UUID ADDRESS
 */
import { isJangadaError } from '../../src/base/errors.ts'
import { joinWithNonce } from '../../src/node/enrol/join.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { nodeCrypto } from '../../src/platform/crypto.ts'
import { kernelEntropy } from '../../src/platform/entropy.ts'
import { nodePinnedHttps } from '../../src/platform/pinned-https.ts'

const [, , host = '', nonce = '', pin = '', mac = '', uuid = '', address = ''] = process.argv
const crypto = nodeCrypto()
const deps = {
  https: nodePinnedHttps(),
  crypto,
  clock: systemClock(),
  entropy: kernelEntropy(),
}
const input = {
  doors: [{ host, port: 7381 }],
  key: await crypto.generateKey(),
  facts: { name: 'somebody', uuid, macs: [mac], address },
  onPending: () => {
    process.stdout.write('{"state":"pending"}')
    process.exit(0)
  },
}
const told = await joinWithNonce(deps, { nonce, pin }, input).then(
  () => ({ state: 'admitted' }),
  (error: unknown) => ({ state: 'refused', code: isJangadaError(error) ? error.code : 'other' }),
)
process.stdout.write(JSON.stringify(told))
