/** Machines: who is there, who waits, and what they are labelled with. */
import * as Type from 'typebox'
import { isMachineId, machineId, type MachineId } from '../../base/ids.ts'
import type { AdmissionRecord } from '../../core/records/schemas.ts'
import { admit, pendingMachines } from '../enrol/admit.ts'
import { decideAndSee } from '../enrol/context.ts'
import type { MachinesAnswer, PendingMachine } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { decideLabels, labelNameMax, labelValueMax } from './labels.ts'
import { machineOf, pick } from './machine-of.ts'
import { json } from './messages.ts'
import { readCluster } from './records.ts'
import type { Route } from './router.ts'
import { machineDetails, stalenessOf } from './rows.ts'
import { readWithFacts } from './unit-facts.ts'
import { viewOrCutOff } from './status.ts'

/** What a rule can name: no spaces, no equals sign, nothing that a unit file would split. */
const labelNamePattern = '^[A-Za-z0-9][A-Za-z0-9_./-]*$'

const readAdmit = bodyReader(
  Type.Object({
    keyHash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    roleCeiling: Type.Optional(Type.Union([Type.Literal('client'), Type.Literal('voter')])),
  }),
)
const readMetadata = bodyReader(
  Type.Object({
    metadata: Type.Record(
      Type.String({ maxLength: labelNameMax, pattern: labelNamePattern }),
      Type.Union([Type.String({ maxLength: labelValueMax }), Type.Null()]),
      // Without it a name that does not match would be let pass, unlooked at.
      { additionalProperties: false },
    ),
  }),
)

export function machineRoutes(context: ApiContext): Route[] {
  const { store } = context
  return [
    {
      method: 'GET',
      path: '/v1/machines',
      access: 'read',
      handle: async () => json(await listMachines(context)),
    },
    {
      method: 'GET',
      path: '/v1/machines/pending',
      access: 'read',
      handle: async () => json({ machines: (await pendingMachines(store)).map(pendingRow) }),
    },
    {
      method: 'POST',
      path: '/v1/machines/:id/admit',
      access: 'admin',
      handle: async (request) => {
        const { keyHash, roleCeiling } = readAdmit({ body: request.body ?? {} })
        const id = await findPending(context, request.parameters['id'] ?? '')
        const admission = await admit(context, id, {
          ...(keyHash === undefined ? {} : { keyHash }),
          ...(roleCeiling === undefined ? {} : { roleCeiling }),
        })
        return json({ id, name: admission.name, state: admission.state, sticky: admission.sticky })
      },
    },
    {
      method: 'PATCH',
      path: '/v1/machines/:id',
      access: 'deploy',
      handle: async (request) => {
        const { metadata } = readMetadata(request)
        const { id } = machineOf(await readCluster(store), request.parameters['id'] ?? '')
        const changes = new Map([[machineId(id), metadata]])
        const [labelled] = await decideAndSee(store, () => decideLabels(context, changes))
        return json({ id, name: labelled?.name, metadata: labelled?.metadata })
      },
    },
  ]
}

async function listMachines(context: ApiContext): Promise<MachinesAnswer> {
  const view = await viewOrCutOff(context)
  const records = await readWithFacts(context)
  return {
    revision: records.revision,
    stale: stalenessOf(view),
    machines: machineDetails(records, view),
  }
}

function pendingRow(admission: AdmissionRecord): PendingMachine {
  const { asking, machineId: id, macs, uuid } = admission
  const { name, address, keyHash, askedMs } = asking ?? admission
  return { id, name, address, macs, uuid, keyHash, askedMs, isReplacement: asking !== undefined }
}

async function findPending(context: ApiContext, text: string): Promise<MachineId> {
  // Whoever names the whole id may name one that no longer waits: admitting is idempotent.
  if (isMachineId(text)) return text
  const waiting = await pendingMachines(context.store)
  const hint = 'jangada machines --pending'
  const found = pick(waiting, text, ({ machineId: id, name }) => ({ id, name }), hint)
  return machineId(found.machineId)
}
