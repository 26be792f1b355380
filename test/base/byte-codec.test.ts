import t from 'tap'
import fc from 'fast-check'
import { ByteReader, MalformedBytesError, readWhole } from '../../src/base/byte-reader.ts'
import { ByteWriter } from '../../src/base/byte-writer.ts'

t.test('what is written is read', async (t) => {
  const field = fc.record({
    number: fc.maxSafeNat(),
    word: fc.nat(0xffff_ffff),
    text: fc.string({ unit: 'binary', maxLength: 200 }).filter((text) => text.isWellFormed()),
    bytes: fc.uint8Array({ maxLength: 300 }),
  })
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const writer = new ByteWriter(1)
      for (const { number, word, text, bytes } of fields) {
        writer.varint(number)
        writer.uint32(word)
        writer.text(text)
        writer.bytes(bytes)
      }
      const result = readWhole(writer.take(), (reader) =>
        fields.map(() => ({
          number: reader.varint(),
          word: reader.uint32(),
          text: reader.text(800),
          bytes: reader.bytes(300).slice(),
        })),
      )
      t.same(result, { kind: 'read', value: fields })
    }),
  )
})

t.test('what cannot have been written is malformed', async (t) => {
  const read = (...bytes: number[]): ByteReader => new ByteReader(Uint8Array.of(...bytes))
  const malformed = (work: () => unknown, message: string): void => {
    t.throws(work, new MalformedBytesError(message))
  }
  malformed(() => read().uint8(), 'it ends too early')
  malformed(() => read(1, 2, 3).uint32(), 'it ends too early')
  malformed(() => read(0x80, 0).varint(), 'an overlong integer')
  malformed(() => read(255, 255, 255, 255, 255, 255, 255, 127).varint(), 'an integer too large')
  malformed(() => read(255, 255, 255, 255, 255, 255, 255, 255, 1).varint(), 'an integer too long')
  malformed(() => read(5, 1).bytes(10), 'it ends too early')
  malformed(() => read(11).bytes(10), 'a count of 11, where 10 is the most')
  malformed(() => read(1, 0xff).text(10), 'text that is not UTF-8')
  t.same(
    readWhole(Uint8Array.of(1, 2), (reader) => reader.uint8()),
    { kind: 'malformed', reason: '1 bytes too many' },
  )
  t.equal(read(4, 0xef, 0xbb, 0xbf, 0x61).text(4), '\ufeffa', 'a byte order mark is text too')
})

t.test('text that would not come back is refused', async (t) => {
  t.throws(() => new ByteWriter().text('\ud800'), { name: 'AssertionError' })
})
