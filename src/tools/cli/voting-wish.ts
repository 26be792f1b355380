/** What `members promote`, `demote` and `pin` share. */
import { assertNever } from '../../base/assert.ts'
import type { WishAnswer } from '../../node/api/answers.ts'
import type { Arguments } from './command.ts'
import type { CliEnvironment } from './environment.ts'
import { openNode, segment } from './node-client.ts'
import { printJson } from './table.ts'

/** The exit code. `wish` may also be `as-is`: what the machine does now. */
export async function wishFor(
  args: Arguments,
  environment: CliEnvironment,
  wish: WishAnswer['wish'] | 'as-is',
): Promise<number> {
  const [machine = ''] = args.words
  const answer = await openNode(args, environment).call<WishAnswer>(
    'POST',
    `/v1/members/${segment(machine)}/wish`,
    { wish, force: args.flag('force') },
  )
  if (args.flag('json')) printJson(environment, answer)
  else environment.stdout(`${answer.name} ${outcome(answer)}\n`)
  return 0
}

function outcome({ wish, role }: WishAnswer): string {
  switch (wish) {
    case 'auto':
      return 'votes when the cluster needs it to'
    case 'voter':
      return role === 'voter'
        ? 'votes, and goes on to'
        : 'is to vote; "jangada members" shows when it does'
    case 'client':
      return role === 'client'
        ? 'does not vote, and will not be asked'
        : 'is to leave the members; "jangada members" shows when it has'
    default:
      return assertNever(wish)
  }
}
