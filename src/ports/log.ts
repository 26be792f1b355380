/** Structured log lines. `fields` never holds secrets, environments or commands of units. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log whose lines all carry `fields`. */
  child(fields: LogFields): Log
}

export type LogFields = Readonly<Record<string, unknown>>
