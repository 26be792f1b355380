/** `node FLAGS code-cache.cjs SCRIPT CACHE`: V8's code cache of a script, for a Node with the same flags. */
'use strict'
const { readFileSync, writeFileSync } = require('node:fs')
const { Script } = require('node:vm')

const [script = '', cache = ''] = process.argv.slice(2)
const compiled = new Script(readFileSync(script, 'latin1'), { filename: script })
writeFileSync(cache, compiled.createCachedData())
