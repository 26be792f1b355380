/** What people may set for the whole cluster while it runs: `core/records/settings.ts`. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { nearest } from '../../base/nearest.ts'
import { clusterSettings } from '../../core/records/keyspace.ts'
import type { ClusterSettingsRecord } from '../../core/records/schemas.ts'
import { contradiction, type Setting, settingsList } from '../../core/records/settings.ts'
import { decideAndSee, type Decision, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import type { SettingsAnswer } from './operation-answers.ts'
import { badRequest, bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import type { Route } from './router.ts'

const readChanges = bodyReader(
  Type.Object({
    /** By name; an empty text is the default. */
    settings: Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }), {
      maxProperties: 64,
    }),
  }),
)

export function settingsRoutes(context: ApiContext): Route[] {
  const path = '/v1/settings'
  return [
    {
      method: 'GET',
      path,
      access: 'read',
      handle: async () => json(answer((await readSettings(context)).value)),
    },
    {
      method: 'PATCH',
      path,
      access: 'admin',
      handle: async (request) => {
        const changes = Object.entries(readChanges(request).settings)
        return json(answer(await decideAndSee(context.store, () => decide(context, changes))))
      },
    },
  ]
}

const answer = (settings: ClusterSettingsRecord): SettingsAnswer => ({
  settings: settingsList.map((setting) => {
    const value = setting.read(settings)
    const usual = setting.write(settings, '')
    const isDefault = usual !== undefined && setting.read(usual) === value
    return { name: setting.name, value, isDefault, values: setting.values, about: setting.about }
  }),
})

async function readSettings(context: ApiContext) {
  const stored = await readRecord(context.store, clusterSettings, 'cluster')
  if (stored !== undefined) return stored
  throw new JangadaError('JGD_NOT_FOUND', 'the cluster has no settings that can be read')
}

async function decide(
  context: ApiContext,
  changes: readonly (readonly [string, string])[],
): Promise<Decision<ClusterSettingsRecord>> {
  const stored = await readSettings(context)
  let value: ClusterSettingsRecord = stored.value
  const told: string[] = []
  for (const [name, text] of changes) {
    const setting = settingOf(name)
    const changed = setting.write(value, text)
    if (changed === undefined) throw badRequest(`${name}=${text}: write ${setting.values}`)
    const [before, after] = [setting.read(value), setting.read(changed)]
    if (before !== after) told.push(`${name} is ${after} from now on, and was ${before}`)
    value = changed
  }
  const wrong = contradiction(value)
  if (wrong !== undefined) throw badRequest(wrong)
  const compare = [unchanged(stored.key, stored)]
  if (told.length === 0) return { value: stored.value, compare, then: [] }
  const events = told.map((message) =>
    putEvent(context, { kind: 'settings.changed', severity: 'info', message }),
  )
  return { value, compare, then: [clusterSettings.put(value, 'cluster'), ...events] }
}

function settingOf(name: string): Setting {
  const found = settingsList.find((one) => one.name === name)
  if (found !== undefined) return found
  const names = settingsList.map((one) => one.name)
  const meant = nearest(name, names)
  throw badRequest(
    `there is no setting ${name}`,
    meant === undefined ? `they are ${names.join(', ')}` : `write ${meant}`,
  )
}
