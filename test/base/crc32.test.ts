import t from 'tap'
import fc from 'fast-check'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { crc32 } from '../../src/base/crc32.ts'

t.test("it is zlib's CRC-32, in one go or piece by piece", async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const expected = zlibCrc32(bytes)
      return (
        crc32(bytes) === expected &&
        crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))) === expected
      )
    }),
  )
})
