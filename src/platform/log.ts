/** `ports/Log` over pino: one JSON object a line. */
import type { DestinationStream } from 'pino'
import { describeError } from '../base/errors.ts'
import type { Log, LogFields } from '../ports/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface LogOptions {
  readonly level: LogLevel
  /** A file descriptor; 1 unless told otherwise, because systemd's journal reads that. */
  readonly descriptor?: number
  /** Instead of a descriptor: each line goes to `write`. */
  readonly write?: (line: string) => void
}

export interface OpenLog {
  readonly log: Log
  /** Writes what is still buffered; to be called before the process ends on purpose. */
  readonly flush: () => void
}

/** Lines are held back up to this size, or one flush period, so that logging rarely does I/O. */
const bufferBytes = 4096
const flushPeriodMs = 200

/** pino is loaded here and not above: commands that only print a table never need it. */
export async function openLog(options: LogOptions): Promise<OpenLog> {
  const { pino } = await import('pino')
  const { write } = options
  const descriptor =
    write === undefined
      ? pino.destination({
          dest: options.descriptor ?? 1,
          sync: false,
          minLength: bufferBytes,
          periodicFlush: flushPeriodMs,
        })
      : undefined
  const destination: DestinationStream = descriptor ?? { write: write ?? (() => undefined) }
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return { log: wrap(logger), flush: () => flushDescriptor(descriptor) }
}

interface PinoLike {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: Record<string, unknown>): PinoLike
}

function wrap(logger: PinoLike): Log {
  return {
    debug: (message, fields) => logger.debug(plain(fields), message),
    info: (message, fields) => logger.info(plain(fields), message),
    warn: (message, fields) => logger.warn(plain(fields), message),
    error: (message, fields) => logger.error(plain(fields), message),
    child: (fields) => wrap(logger.child(plain(fields))),
  }
}

/** An `Error` has no own enumerable fields and would be logged as `{}`: its text says more. */
function plain(fields: LogFields | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields ?? {})) {
    out[key] = value instanceof Error ? describeError(value) : value
  }
  return out
}

/** sonic-boom throws when its descriptor is not open yet; then nothing has been buffered long. */
function flushDescriptor(descriptor: { flushSync(): void } | undefined): void {
  try {
    descriptor?.flushSync()
  } catch {
    // The process is ending, and there is nowhere left to say that its log could not be written.
  }
}
