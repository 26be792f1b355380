/** What stories of units do and look at on a rack: the API as people have it, and every engine. */
import type {
  UnitFileRow,
  UnitFilesAnswer,
  UnitRow,
  UnitsAnswer,
  WhyAnswer,
} from '../../src/node/api/answers.ts'
import { hostNames } from '../../src/tools/rack/demo/scene.ts'
import { askNode, containersOn, isRunning } from '../../src/tools/rack/demo/view.ts'
import type { Rack } from '../../src/tools/rack/rack.ts'
import { until } from '../../src/tools/rack/world.ts'

const settleTimeoutMs = 60_000
const pollMs = 150

export interface Program {
  /** Lines of `[Service]` in place of `Restart=always`. */
  readonly service?: string
  readonly flags?: string
  readonly image?: string
  readonly command?: string
}

/** Ends at once when it is asked to, and otherwise never. */
const waits = `sh -c 'trap "exit 0" TERM; while :; do sleep 60 & wait $$!; done'`

/** A unit's file with these lines in `[X-Fleet]`. */
export function unitFile(rules: string, program: Program = {}): string {
  const { service = 'Restart=always', flags = '--pull never', command = waits } = program
  const { image = 'busybox:jangada' } = program
  return `[Service]
${service}
TimeoutStopSec=5
ExecStart=/usr/bin/docker run ${flags} ${image} ${command}

[X-Fleet]
${rules}
`
}

/** Everything is asked of `host`, and looked for on all hosts that are on. */
export class People {
  readonly #rack: Rack
  readonly #host: string

  constructor(rack: Rack, host: string) {
    this.#rack = rack
    this.#host = host
  }

  async submit(name: string, file: string): Promise<void> {
    await this.#ask('PUT', `/v1/units/${name}`, { file })
  }

  /** With a file, or an instance of a template that is there. */
  async start(name: string, file?: string): Promise<void> {
    await this.#ask('PUT', `/v1/units/${name}`, { ...(file && { file }), desired: 'launched' })
  }

  async destroy(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.#ask('DELETE', `/v1/units/${name}`)
    await this.runs('nothing of them', (placesOf) => names.every((name) => placesOf(name) === ''))
  }

  async why(name: string): Promise<string[]> {
    const answer = JSON.parse(await this.#ask('GET', `/v1/units/${name}/why`)) as WhyAnswer
    return answer.machines.map(({ reason }) => reason)
  }

  /** Undefined when there is no such unit. */
  async stateOf(name: string): Promise<UnitFileRow | undefined> {
    const { unitFiles } = JSON.parse(await this.#ask('GET', '/v1/unit-files')) as UnitFilesAnswer
    return unitFiles.find((row) => row.name === name)
  }

  /** What the cluster says of it, in the first row. */
  async row(name: string): Promise<UnitRow | undefined> {
    const { units } = JSON.parse(await this.#ask('GET', '/v1/units')) as UnitsAnswer
    return units.find((row) => row.name === name)
  }

  /** Units → names of the hosts whose engines run it, with a comma between two. */
  async places(hosts = hostNames(this.#rack)): Promise<(unit: string) => string> {
    const all = (await containersOn(this.#rack, hosts)).filter(isRunning)
    const of = (unit: string): string[] =>
      all.flatMap((one) => (one.unit === unit ? [one.machine] : []))
    return (unit) => of(unit).toSorted().join()
  }

  /** Resolves with the places that `fit`. */
  runs(
    what: string,
    fit: (placesOf: (unit: string) => string) => boolean,
    hosts?: string[],
  ): Promise<(unit: string) => string> {
    return until(this.#rack.clock, { what, timeoutMs: settleTimeoutMs, pollMs }, async () => {
      const places = await this.places(hosts)
      return fit(places) ? places : undefined
    })
  }

  /** Resolves when each of them runs exactly once. */
  runOnce(names: readonly string[], hosts?: string[]): Promise<(unit: string) => string> {
    const isOne = (places: string): boolean => places !== '' && !places.includes(',')
    const what = `${names.join(', ')} run once each`
    return this.runs(what, (placesOf) => names.every((name) => isOne(placesOf(name))), hosts)
  }

  #ask(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<string> {
    return askNode(this.#rack, this.#host, method, path, body)
  }
}
