/**
 * TypeScript to the two CommonJS files of the binary. CommonJS, because Node 24 cannot start a
 * single executable from an ES module with a code cache.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { inRoot } from './project.mjs'

/**
 * Packages that others load and this product never calls: dockerode's ssh transport and BuildKit
 * sessions are more than half of everything else together. Whoever calls one is told.
 */
const leftOut = [
  'ssh2',
  '@grpc/grpc-js',
  '@grpc/proto-loader',
  'protobufjs',
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  '@opentelemetry/api',
  'light-my-request',
]

/** Packages of which only what is imported is taken: no module of theirs does anything on its own. */
const pure = ['typebox']

/** An optional native part that msgpackr does without when loading it fails. */
const absent = ['msgpackr-extract']

const leftOutSource = (name) => `
  const refuse = () => {
    throw new Error(${JSON.stringify(`${name} is left out of the jangada binary (scripts/lib/bundle.mjs)`)})
  }
  const stub = new Proxy(refuse, { get: () => stub, apply: refuse, construct: refuse })
  module.exports = stub
`
const absentSource = (name) => `throw new Error(${JSON.stringify(`${name} is not installed`)})`

const leaveOut = {
  name: 'leave-out',
  setup(build) {
    const exactly = (names) => new RegExp(`^(${names.join('|')})$`)
    build.onResolve({ filter: exactly(leftOut) }, ({ path }) => ({ path, namespace: 'left-out' }))
    build.onResolve({ filter: /.*/ }, onlyWhatIsUsed(build))
    build.onResolve({ filter: exactly(absent) }, ({ path }) => ({ path, namespace: 'absent' }))
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => {
      return { contents: leftOutSource(path), loader: 'js' }
    })
    build.onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => {
      return { contents: absentSource(path), loader: 'js' }
    })
  },
}

const inPure = new RegExp(`/node_modules/(${pure.join('|')})/`)
const resolving = Symbol('resolving')

/** Tells esbuild of the packages in `pure` what they themselves do not say (`sideEffects`). */
const onlyWhatIsUsed = (build) => async (request) => {
  const { path, pluginData, ...from } = request
  if (pluginData === resolving) return undefined
  if (!inPure.test(from.importer) && !pure.includes(path.split('/', 1)[0])) return undefined
  const found = await build.resolve(path, { ...from, pluginData: resolving })
  return { ...found, sideEffects: false }
}

/** Writes `entry`, with everything it imports, to `outfile`. */
export async function bundle(entry, outfile) {
  const esbuild = await import('esbuild')
  const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  const built = await esbuild.build({
    entryPoints: [inRoot(entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    // A dynamic import becomes a deferred require of a module inside the bundle, whose body runs
    // then and not before. A single executable has no other way to import.
    supported: { 'dynamic-import': false },
    // V8 keeps the source in memory, so white space is left out; names stay and lines are short,
    // for a stack trace from a machine must be readable, and an uncaught error prints its line.
    minifyWhitespace: true,
    lineLimit: 160,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    define: {
      JANGADA_VERSION: JSON.stringify(version),
      'import.meta.url': '__fileUrl',
      'import.meta.dirname': '__dirname',
    },
    banner: { js: "const __fileUrl=require('node:url').pathToFileURL(process.execPath).href;" },
    plugins: [leaveOut],
  })
  const text = readFileSync(outfile, 'utf8')
  writeFileSync(outfile, text.replace(/[\u0080-\uffff]/g, escaped))
  return built
}

/**
 * One character beyond Latin-1 and V8 keeps two bytes of each character of the source, 5 MB in
 * every process. esbuild escapes strings; what it leaves is in regular expressions and comments,
 * where an escape means the same.
 */
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
