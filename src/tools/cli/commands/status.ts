import type { StatusReport } from '../../../node/api/answers.ts'
import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { agoText, formatColumns, printJson, sizeText } from '../table.ts'
import { linesOption, unitStatus } from '../unit-status.ts'

const eventsShown = 5

export const command: Command = {
  synopsis: 'status [NAME…]',
  about:
    'The cluster at a glance: who leads, whether there is a quorum, machines, units, and what\n' +
    'happened last. With names: those units, where each is and since when, which container and\n' +
    'image, and the last lines of its output. --json gives the whole of /v1/status, or of the units.',
  words: { min: 0, max: anyNumber },
  options: { ...nodeOptions, lines: linesOption },
  examples: [
    ['status', 'the cluster'],
    ['status web', 'one unit'],
  ],
  run: async (args, environment) => {
    if (args.words.length > 0) return unitStatus(args, environment)
    const status = await openNode(args, environment).get<StatusReport>('/v1/status')
    if (args.flag('json')) printJson(environment, status)
    else environment.stdout(summary(status, environment.wallMs()))
    return 0
  },
}

const fullText =
  'the store is full, or nearly: writes that need more are refused; jangada kv quota says more'

function storeText({ store: { usedBytes, usersBytes, fullSinceMs } }: StatusReport): string {
  const full = fullSinceMs === null ? '' : ', FULL'
  if (usedBytes === null || usersBytes === null) return `no member says${full}`
  return `${sizeText(usedBytes)} of ${sizeText(usersBytes)}${full}`
}

const unitsText = (wanted: number, running: number, ended: number): string =>
  `${running} of ${wanted} running${ended === 0 ? '' : `, ${ended} ended`}`

function summary(status: StatusReport, nowMs: number): string {
  const { node, leader, members, machines, units, events } = status
  const voters = members.filter(({ role }) => role === 'voter')
  const ready = machines.filter((machine) => machine.status === 'ready')
  const wanted = units.filter(({ desired }) => desired === 'launched')
  const running = wanted.filter(({ active }) => active === 'active')
  // With Restart=no, or on-failure, a unit may end well: nothing is wrong with it.
  const ended = wanted.filter(
    ({ active, sub, machine }) => active === 'inactive' && sub === 'dead' && machine !== null,
  )
  const quorum = status.stale === false ? 'quorum' : 'no quorum'
  const rows = [
    ['cluster', status.cluster],
    ['node', `${node.name} (${node.role}), version ${node.version}`],
    ['leader', leader === null ? 'none known' : `${leader.name ?? leader.memberId}`],
    ['voters', `${voters.map(({ name }) => name).join(', ')} (${quorum}, term ${status.term})`],
    ['machines', `${ready.length} of ${machines.length} ready`],
    ['units', unitsText(wanted.length, running.length, ended.length)],
    ['store', storeText(status)],
    ['revision', String(status.revision)],
  ]
  const troubles = [
    ...(status.store.fullSinceMs === null ? [] : [fullText]),
    ...machines.filter(({ status: is }) => is === 'lost').map(({ name }) => `${name} is lost`),
    ...wanted
      .filter((unit) => !running.includes(unit) && !ended.includes(unit))
      .map(({ name, active, sub, message }) =>
        message === '' ? `${name} is ${active} (${sub})` : `${name} is ${active}: ${message}`,
      ),
  ]
  const told = events.slice(-eventsShown).map(({ atMs, message }) => {
    return `  ${agoText(atMs, nowMs).padEnd(12)} ${message}`
  })
  const lines = [
    ...formatColumns(rows),
    ...(troubles.length === 0
      ? []
      : ['', 'not as it should be:', ...troubles.map((t) => `  ${t}`)]),
    ...(told.length === 0 ? [] : ['', 'lately:', ...told]),
  ]
  return `${lines.join('\n')}\n`
}
