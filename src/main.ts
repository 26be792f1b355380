/** argv → config → wiring: the only place that sees every room. */
import { describeError, isJangadaError, errorCodes, JangadaError } from './base/errors.ts'
import { version } from './platform/version.ts'

async function main(args: readonly string[]): Promise<void> {
  const [command] = args
  if (command === '--version') {
    process.stdout.write(`${version()}\n`)
    return
  }
  throw new JangadaError('JGD_USAGE', `unknown command: ${command ?? 'none given'}`, {
    hint: 'jangada --version',
  })
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`jangada: ${describeError(error)}\n`)
  process.exitCode = isJangadaError(error) ? errorCodes[error.code].exit : 1
})
