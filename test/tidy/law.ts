/** The import law: which room may know which. Its reasons are in ARCHITECTURE.md. */

export interface Rule {
  /** Rooms, matched as a path prefix: `core` is every room below it. */
  readonly rooms: readonly string[]
  readonly packages: readonly string[]
  /** Rooms of which only types may be imported. */
  readonly types?: readonly string[]
}

const outsideWorld = ['node:*']

/** The first entry whose key is the room, or a `/*` pattern of it, holds. A room may know itself. */
export const law: Readonly<Record<string, Rule>> = {
  base: { rooms: [], packages: [] },
  ports: { rooms: ['base'], packages: [] },
  'core/raft': { rooms: ['base'], packages: [] },
  'core/store': { rooms: ['base'], packages: ['typebox', 'yaml'] },
  'core/records': { rooms: ['base', 'core/store'], packages: ['typebox', 'yaml'] },
  'core/*': { rooms: ['base'], packages: ['typebox', 'yaml'], types: ['core/records'] },
  'node/*': { rooms: ['base', 'ports', 'core', 'node'], packages: ['msgpackr', 'typebox'] },
  'tools/cli': {
    rooms: ['base', 'core/units', 'core/trust'],
    packages: ['yargs'],
    types: ['ports', 'node/api', 'daemon', 'tools/rack', 'tools/offline'],
  },
  'tools/client': { rooms: ['base'], packages: outsideWorld, types: ['node/api'] },
  'tools/dashboard': { rooms: [], packages: ['preact', 'uplot'] },
  platform: {
    rooms: ['base', 'ports'],
    packages: [
      ...outsideWorld,
      'fastify',
      '@fastify/swagger',
      'dockerode',
      'pino',
      'prom-client',
      '@peculiar/x509',
      'tar-stream',
      'reflect-metadata',
    ],
    types: ['node/api'],
  },
  'tools/*': {
    rooms: ['base', 'ports', 'core', 'node', 'platform', 'tools/client'],
    packages: [...outsideWorld, 'tar-stream', 'yaml'],
  },
  daemon: { rooms: ['base', 'ports', 'core', 'node', 'platform'], packages: outsideWorld },
  main: {
    rooms: ['base', 'ports', 'core', 'node', 'platform', 'tools', 'daemon'],
    packages: outsideWorld,
  },
}

/** `src/core/raft/log.ts` → `core/raft`; the platform is one room, and so is `main.ts`. */
export function roomOf(file: string): string {
  const [first = '', second = '', third] = file.replace(/^src\//, '').split('/')
  if (second === '') return first.replace(/\.ts$/, '')
  return ['core', 'node', 'tools'].includes(first) && third !== undefined
    ? `${first}/${second}`
    : first
}

export function ruleOf(room: string): Rule | undefined {
  return law[room] ?? law[`${room.split('/')[0]}/*`]
}

export const within = (room: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => room === prefix || room.startsWith(`${prefix}/`))

/** A way round from a room back to itself, or undefined. */
export function findCycle(graph: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>()
  const visit = (room: string, trail: readonly string[]): string[] | undefined => {
    const at = trail.indexOf(room)
    if (at >= 0) return [...trail.slice(at), room]
    if (done.has(room)) return undefined
    for (const next of graph.get(room) ?? []) {
      const cycle = visit(next, [...trail, room])
      if (cycle !== undefined) return cycle
    }
    done.add(room)
    return undefined
  }
  for (const room of graph.keys()) {
    const cycle = visit(room, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}
