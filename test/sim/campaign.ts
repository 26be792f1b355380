/** The ranges of seeds that were ever run, and what came of it: `campaign.json` beside this file. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Totals } from './tell.ts'

const file = path.join(import.meta.dirname, 'campaign.json')

export interface CampaignRange {
  /** First and last seed. */
  readonly range: readonly [first: number, last: number]
  /** What was run; files changed since are marked with a `+`. */
  readonly commit: string
  readonly seeds: number
  /** Seeds that failed. */
  readonly failed: readonly number[]
  /** As they passed for whoever waited. */
  readonly seconds: number
}

export const campaign = (): readonly CampaignRange[] =>
  JSON.parse(readFileSync(file, 'utf8')) as readonly CampaignRange[]

export function noteCampaign(first: number, totals: Totals, seconds: number): void {
  const entry: CampaignRange = {
    range: [first, first + totals.seeds - 1],
    commit: currentCommit(),
    seeds: totals.seeds,
    failed: totals.failed.toSorted((a, b) => a - b),
    seconds: Math.round(seconds),
  }
  const lines = [...campaign(), entry].map((each) => `  ${JSON.stringify(each)}`)
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`)
}

function currentCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  const isChanged = git('status', '--porcelain', '--', '../../src', '.', ':!campaign.json') !== ''
  return git('rev-parse', '--short', 'HEAD') + (isChanged ? '+' : '')
}
