/** Changes of members as `interaction/` writes and prints them. */
import type { MemberChange, MemberStep } from '../../src/core/raft/types.ts'

/** When etcd's second format means a joint change: whenever it must, or when it is asked to. */
export function changeOf(
  steps: readonly MemberStep[],
  first: boolean,
  transition: string,
): MemberChange {
  if (first) return { kind: 'simple', steps }
  if (transition === 'auto' && steps.length === 0) return { kind: 'leaveJoint' }
  if (transition === 'auto' && steps.length === 1) return { kind: 'simple', steps }
  return { kind: 'enterJoint', steps, autoLeave: transition !== 'explicit' }
}

/** As a script's log prints the proposal. */
export function describeProto(steps: readonly MemberStep[], transition: string): string {
  const names = {
    addVoter: 'ConfChangeAddNode',
    addLearner: 'ConfChangeAddLearnerNode',
    remove: 'ConfChangeRemoveNode',
    update: 'ConfChangeUpdateNode',
  } as const
  const kind = transition.charAt(0).toUpperCase() + transition.slice(1)
  const changes = steps.map((step) => `changes:{type:${names[step.kind]} node_id:${step.id}}`)
  return [`transition:ConfChangeTransition${kind}`, ...changes].join(' ')
}
