/**
 * `/fleet/v1/discovery`: the description from which fleet's clients are generated (Google's Discovery
 * format, v1). Built from the few facts that differ between one entity, or one method, and the next.
 */

interface Property {
  readonly type?: string
  readonly [key: string]: unknown
}

const text: Property = { type: 'string' }
const state: Property = { type: 'string', enum: ['inactive', 'loaded', 'launched'] }
const listOf = (entity: string): Property => ({ type: 'array', items: { $ref: entity } })

const entity = (id: string, properties: Readonly<Record<string, Property>>) =>
  [id, { id, type: 'object', properties }] as const
const page = (of: string, name: string) =>
  entity(`${of}Page`, { [name]: listOf(of), nextPageToken: text })

const schemas = [
  entity('Machine', {
    id: text,
    primaryIP: text,
    metadata: { type: 'object', properties: {}, additionalProperties: text },
  }),
  page('Machine', 'machines'),
  entity('UnitOption', { section: text, name: text, value: text }),
  entity('Unit', {
    name: text,
    options: listOf('UnitOption'),
    desiredState: state,
    currentState: state,
    machineID: { ...text, required: true },
  }),
  page('Unit', 'units'),
  entity('UnitState', {
    name: text,
    hash: text,
    machineID: text,
    systemdLoadState: text,
    systemdActiveState: text,
    systemdSubState: text,
  }),
  page('UnitState', 'states'),
]

interface Method {
  readonly id: string
  readonly description: string
  readonly verb: string
  readonly path: string
  readonly query?: readonly string[]
  readonly request?: string
  readonly response?: string
}

function method({ id, description, verb, path, query = [], request, response }: Method): unknown {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const parameters = Object.fromEntries([
    ...inPath.map((name) => [name, { ...text, location: 'path', required: true }]),
    ...query.map((name) => [name, { ...text, location: 'query' }]),
  ])
  return {
    id: `fleet.${id}`,
    description,
    httpMethod: verb,
    path,
    parameters,
    ...(inPath.length === 0 ? {} : { parameterOrder: inPath }),
    ...(request === undefined ? {} : { request: { $ref: request } }),
    ...(response === undefined ? {} : { response: { $ref: response } }),
  }
}

const unitPath = 'units/{unitName}'

const resources = {
  Machines: {
    methods: {
      List: method({
        id: 'Machine.List',
        description: 'A page of the machines.',
        verb: 'GET',
        path: 'machines',
        query: ['nextPageToken'],
        response: 'MachinePage',
      }),
    },
  },
  Units: {
    methods: {
      List: method({
        id: 'Unit.List',
        description: 'A page of the units.',
        verb: 'GET',
        path: 'units',
        query: ['nextPageToken'],
        response: 'UnitPage',
      }),
      Get: method({
        id: 'Unit.Get',
        description: 'One unit.',
        verb: 'GET',
        path: unitPath,
        response: 'Unit',
      }),
      Delete: method({
        id: 'Unit.Delete',
        description: 'Forgets a unit.',
        verb: 'DELETE',
        path: unitPath,
      }),
      Set: method({
        id: 'Unit.Set',
        description: 'Makes a unit, or changes what is wanted of it.',
        verb: 'PUT',
        path: unitPath,
        request: 'Unit',
      }),
    },
  },
  UnitState: {
    methods: {
      Get: method({
        id: 'UnitState.Get',
        description: "One unit's state.",
        verb: 'GET',
        path: 'state/{unitName}',
        response: 'UnitState',
      }),
      List: method({
        id: 'UnitState.List',
        description: "A page of the units' states.",
        verb: 'GET',
        path: 'state',
        query: ['nextPageToken', 'unitName', 'machineID'],
        response: 'UnitStatePage',
      }),
    },
  },
}

/** `$ENDPOINT` stands for wherever the client has reached it, as in fleet's own. */
export const discoveryDocument: unknown = {
  kind: 'discovery#restDescription',
  discoveryVersion: 'v1',
  id: 'fleet:v1',
  name: 'schema',
  version: 'v1',
  title: 'fleet API',
  description: '',
  documentationLink: 'http://github.com/coreos/fleet',
  protocol: 'rest',
  icons: { x16: '', x32: '' },
  labels: [],
  baseUrl: '$ENDPOINT/fleet/v1/',
  basePath: '/fleet/v1/',
  rootUrl: '$ENDPOINT/',
  servicePath: 'fleet/v1/',
  batchPath: 'batch',
  parameters: {},
  auth: {},
  schemas: Object.fromEntries(schemas),
  resources,
}
