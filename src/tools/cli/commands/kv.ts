import { anyNumber, type Command, nodeOptions, usage } from '../command.ts'

const actions = ['ls', 'get', 'put', 'del', 'cas', 'txn', 'watch', 'lease', 'quota']

export const command: Command = {
  synopsis: 'kv ACTION …',
  about:
    "The cluster's own store, for your keys and values: replicated, durable, linearizable.\n\n" +
    '  kv ls [PREFIX]                        lists keys\n' +
    '  kv get KEY                            prints a value\n' +
    '  kv put KEY VALUE                      writes a value\n' +
    '  kv del KEY                            deletes a key, or with --prefix many\n' +
    '  kv cas KEY VALUE --expect OLD         writes only if the value is OLD\n' +
    '  kv txn FILE                           a transaction, written as JSON\n' +
    '  kv watch KEY                          prints changes as they happen\n' +
    '  kv lease grant|keepalive|revoke|ls    keys that end unless somebody keeps them\n' +
    '  kv quota [SIZE]                       how full the store is, and may get\n\n' +
    'Values are UTF-8 text; any other bytes are written as base64. Keys under /jangada/ are the\n' +
    "system's own and are not written here. Each action has its own --help; docs/kv.md has the\n" +
    'same for programs.',
  words: { min: 0, max: anyNumber },
  options: nodeOptions,
  examples: [
    ['kv put app/db 10.0.0.7', ''],
    ['kv ls app/', ''],
  ],
  run: ({ words: [action] }) => {
    const message = action === undefined ? 'say what to do' : `there is no "kv ${action}"`
    return Promise.reject(usage(message, `one of: ${actions.join(', ')}`))
  },
}
