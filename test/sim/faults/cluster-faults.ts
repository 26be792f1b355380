/** What operators do while everything else goes on: another leader, more or fewer voters. */
import { clusterSettings } from '../../../src/core/records/keyspace.ts'
import { voterTargets } from '../shape.ts'
import type { FaultTools } from './tools.ts'

export const clusterFaults = {
  'leader transfer': (tools: FaultTools): boolean => {
    const { leader, timeline } = tools.world
    const core = leader?.machine.process?.core
    if (leader === undefined || core === undefined || leader.machine.isPaused) return false
    const others = core.voters().filter((id) => id !== core.memberId)
    if (others.length === 0) return false
    const to = tools.random.pick(others)
    timeline.note('people', `member ${to} is to lead instead of ${leader.machine.name}`)
    core.transferTo(to)
    return true
  },
  /** Not while a member is lost: with fewer voters the others could be too few. */
  'other voters': (tools: FaultTools): boolean => {
    const { leader, machines, committed, timeline, voters } = tools.world
    const wishes = voterTargets.filter((each) => each !== voters && each <= machines.length)
    const item = committed.get(clusterSettings.key('cluster'))
    const record = item === undefined ? undefined : clusterSettings.read(item)
    if (leader === undefined || record === undefined || wishes.length === 0) return false
    if (!tools.losses.maySpare(leader.machine)) return false
    const wanted = tools.random.pick(wishes)
    timeline.note('people', `there are to be ${wanted} voters`)
    const { key, modRevision, value } = record
    const change = leader.member.transact({
      compare: [{ target: 'modRevision', key, is: '=', to: modRevision }],
      then: [clusterSettings.put({ ...value, voters: wanted }, 'cluster')],
      otherwise: [],
    })
    // It may fail, as every request may; the records tell how many voters there are to be.
    change.catch(() => undefined)
    return true
  },
} as const
