/** What a copy of the state holds, in words. */
import type { SnapshotReport, StateReport } from '../offline/snapshot-file.ts'
import { sizeText } from './table.ts'

export function stateLines(state: StateReport): string[] {
  const newest = state.newestEventMs === 0 ? 'none' : new Date(state.newestEventMs).toISOString()
  return [
    `  cluster ${state.clusterId}, revision ${state.revision}, log entry ${state.index}`,
    `  ${state.keys} keys, ${state.userKeys} of them users', ${state.units} units`,
    `  newest event: ${newest}`,
  ]
}

export function snapshotLines(report: SnapshotReport): string {
  const { path, bytes, sha256 } = report
  return `${[`${path} is whole: ${sizeText(bytes)}`, ...stateLines(report), `sha256 ${sha256}`].join('\n')}\n`
}
