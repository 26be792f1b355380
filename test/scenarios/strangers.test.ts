/** Who is not of the cluster stays out, is told why by a code, and leaves an event behind. */
import t from 'tap'
import { program } from '../../src/tools/rack/cluster.ts'
import { jangada, readyMachines } from '../../src/tools/rack/demo/scene.ts'
import { onNetwork, statusOf } from '../../src/tools/rack/demo/view.ts'
import { eventOf, stage } from './stage.ts'

t.setTimeout(200_000)

const rack = await stage(t, { hosts: 2, cluster: {} })
const door = rack.host('n1').address
const token = (await jangada(rack, 'n1', 'token')).trim()

/** `jangada join` on n2, as if it were another machine, with a directory of its own. */
const join = (directory: string, text: string) =>
  rack.exec('n2', [program, 'join', door, '--token', text, '--state-dir', `/tmp/${directory}`])

const otherDigit = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1)

await t.test('a token with a wrong secret', async (t) => {
  const { code, stderr } = await join('wrong-secret', otherDigit(token, token.length - 1))
  t.equal(code, 1)
  t.match(stderr, /JGD_TOKEN_INVALID/)
  t.match(await eventOf(rack, 'n1', 'JGD_TOKEN_INVALID'), { kind: 'trust.refused' })
})

await t.test(
  'a token of a cluster that only pretends to be here: nothing is sent to it',
  async (t) => {
    const pinAt = 'J1.'.length + 32 + 1
    const { code, stderr } = await join('wrong-pin', otherDigit(token, pinAt))
    t.equal(code, 1)
    t.match(stderr, /JGD_PIN_MISMATCH/)
  },
)

await t.test('a token that was used up', async (t) => {
  const once = (await jangada(rack, 'n1', 'token')).trim()
  await join('first', once)
  const { code, stderr } = await join('second', once)
  t.equal(code, 1)
  t.match(stderr, /JGD_TOKEN_USED_UP|JGD_MACHINE_LIVE/)
})

/** Greets the peer door with this certificate; resolves when the door hangs up. */
const knock = `
  import { connect } from 'node:tls'
  const [host, cert, key] = process.argv.slice(1)
  const socket = connect({ host, port: 7382, cert, key, rejectUnauthorized: false })
  socket.on('error', () => undefined).resume()
  socket.on('close', () => process.stdout.write('closed'))`

await t.test('a certificate of another cluster at the door for peers', async (t) => {
  const directory = '/tmp/another-cluster'
  await rack.sh('n2', [program, 'init', '--state-dir', directory])
  const read = (name: string) => rack.sh('n2', ['cat', `${directory}/${name}`])
  const [certificate, key] = [await read('machine-cert.pem'), await read('machine-key.pem')]
  t.equal(await onNetwork(rack, knock, [door, certificate, key]), 'closed')
  t.match(await eventOf(rack, 'n1', 'JGD_WRONG_CLUSTER'), { kind: 'trust.refused' })
})

await t.test('nobody of them is in', async (t) => {
  t.same(readyMachines(await statusOf(rack, 'n1')).toSorted(), ['n1', 'n2'])
})
