/**
 * What the engine itself takes to start containers, with nobody placing anything: the part of
 * every failover that is not ours. It is a matter of the machine more than of anything else.
 */
import type { Rack } from '../../src/tools/rack/rack.ts'
import { engineSocket } from '../../src/tools/rack/engine.ts'
import { askSocket } from '../../src/tools/rack/socket.ts'

const timeoutMs = 60_000

/** As `examples/hello@.service` asks for them. */
const container = {
  Image: 'busybox:jangada',
  Cmd: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done'],
}

/** Milliseconds until the last of `count` containers, asked for together, is started on `host`. */
export async function startAlone(rack: Rack, host: string, count: number): Promise<number> {
  const socket = engineSocket(await rack.initPid(host))
  const post = (path: string, body?: unknown): Promise<string> =>
    askSocket(socket, {
      ...{ method: 'POST', path, timeoutMs },
      ...(body !== undefined && {
        body: { text: JSON.stringify(body), type: 'application/json' },
      }),
    })
  const names = Array.from({ length: count }, (_, at) => `alone-${at}`)
  const beganMs = rack.clock.monotonicMs()
  await Promise.all(
    names.map(async (name) => {
      await post(`/containers/create?name=${name}`, container)
      await post(`/containers/${name}/start`)
    }),
  )
  const tookMs = rack.clock.monotonicMs() - beganMs
  for (const name of names) {
    await askSocket(socket, { method: 'DELETE', path: `/containers/${name}?force=1`, timeoutMs })
  }
  return tookMs
}
