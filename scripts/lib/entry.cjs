/**
 * What the binary begins with. The program is an asset of it and is compiled only when there is more
 * to do than to name its version: its three megabytes take as long as all else of a start together.
 *
 * The version is put in by the build. The code cache holds only for the V8 flags it was made with
 * (`engineFlags`); a rejected one costs time and nothing else.
 */
'use strict'

function load() {
  const { getRawAsset } = require('node:sea')
  const { Script } = require('node:vm')
  const text = (name) => Buffer.from(getRawAsset(name)).latin1Slice()
  const script = new Script(text('main.cjs'), {
    filename: process.execPath,
    cachedData: Buffer.from(getRawAsset('main.cache')),
  })
  script.runInThisContext()(exports, require, module, __filename, __dirname)
}

if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.write('JANGADA_VERSION\n')
} else load()
