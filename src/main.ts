/**
 * argv → config → wiring: the only place that sees every room. Everything beyond `--version` is
 * loaded when it is needed, so that a command that prints a table starts at once.
 */
import path from 'node:path'
import { describeError } from './base/errors.ts'
import { version } from './platform/version.ts'
import type { CliEnvironment } from './tools/cli/environment.ts'

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && argv[0] === '--version') {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  // Hidden: an agent starts it beside itself.
  if (argv.length === 2 && argv[0] === 'fencer') {
    const { runFencer } = await import('./daemon/fencer-process.ts')
    await runFencer(argv[1] ?? '')
    return 0
  }
  const { runCli } = await import('./tools/cli/main.ts')
  return runCli(argv, await environment())
}

async function environment(): Promise<CliEnvironment> {
  const { openHttpClient } = await import('./platform/http-client.ts')
  const { openFile, readTextIfThere } = await import('./platform/file-tree.ts')
  const { systemClock } = await import('./platform/clock.ts')
  const config = await import('./daemon/config.ts')
  const { sleep } = await import('./ports/clock.ts')
  const clock = systemClock()
  const signal = interruption()
  return {
    version: version(),
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    stdoutBytes,
    isTty: process.stdout.isTTY,
    defaults: {
      stateDirectory: config.defaultStateDirectory,
      socketPath: config.defaultSocketPath,
      dockerSocket: config.defaultDockerSocket,
      ports: config.defaultPorts,
      endpoint: process.env['JANGADA_ENDPOINT'],
      token: process.env['JANGADA_TOKEN'],
    },
    openNode: openHttpClient,
    readFile: readTextIfThere,
    openFile,
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    sleep: (ms) => sleep(clock, ms, signal),
    signal,
    up: async (options) => {
      const { runDaemon } = await import('./daemon/daemon.ts')
      await runDaemon(options, signal)
    },
    init: async (options) => {
      const { initialise } = await import('./daemon/membership.ts')
      return initialise(options)
    },
    join: async (options, onPending) => {
      const { joinCluster } = await import('./daemon/membership.ts')
      return joinCluster(options, onPending, signal)
    },
    importImage: async (stateDirectory, chunks, sha256) => {
      const { importIntoState } = await import('./daemon/boot.ts')
      return importIntoState(stateDirectory, chunks, sha256)
    },
    imageBuild,
    offline,
    rack: async () => {
      const commands = await import('./tools/rack/commands.ts')
      const { openLog } = await import('./platform/log.ts')
      const { log } = await openLog({ level: 'warn', descriptor: 2 })
      const print = (line: string): void => void process.stdout.write(`${line}\n`)
      return { commands, context: { world: { clock, log }, print } }
    },
  }
}

const offline: CliEnvironment['offline'] = async () => {
  const { saveSnapshot } = await import('./tools/offline/save.ts')
  const { verifySnapshot } = await import('./tools/offline/snapshot-file.ts')
  const { planRestore } = await import('./tools/offline/restore.ts')
  const { planRecovery, recover } = await import('./tools/offline/recover.ts')
  return {
    save: saveSnapshot,
    verify: verifySnapshot,
    restore: async (file, config) => {
      const { initialise } = await import('./daemon/membership.ts')
      const { report, settings, leftOut, makeLog } = await planRestore(file)
      const { voters, admission } = settings
      const made = await initialise({ ...config, voters, admission }, makeLog)
      return { ...made, from: report, leftOut }
    },
    planRecovery: (directory, log) => planRecovery(path.resolve(directory), log),
    recover: (directory, log) => recover(path.resolve(directory), log),
  }
}

const imageBuild: CliEnvironment['imageBuild'] = async (options) => {
  const { buildImage, defaultCacheDirectory } = await import('./tools/image/build.ts')
  const { embeddedAsset } = await import('./platform/assets.ts')
  const { systemClock } = await import('./platform/clock.ts')
  const { fromUtf8 } = await import('./base/bytes.ts')
  return buildImage({
    output: options.output,
    cacheDirectory: options.cacheDirectory ?? defaultCacheDirectory,
    productVersion: version(),
    refresh: options.refresh,
    readAsset: (name) => fromUtf8(embeddedAsset(name)),
    clock: systemClock(),
    onProgress: (progress) => {
      if (progress.kind === 'started') options.onProgress(`${progress.what} …`)
      else {
        const seconds = (progress.milliseconds / 1000).toFixed(1)
        options.onProgress(
          `${progress.step} ${progress.reused ? 'reused' : 'done'} in ${seconds} s`,
        )
      }
    },
  })
}

/** Aborts on the first SIGINT or SIGTERM; a second one ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}

/** Resolves when standard output takes more; a reader that went away ends the program quietly. */
function stdoutBytes(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(bytes)) resolve()
    else process.stdout.once('drain', resolve)
  })
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`jangada: ${describeError(error)} (JGD_INTERNAL)\n`)
    process.exitCode = 1
  },
)
