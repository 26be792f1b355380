import t from 'tap'
import { parseImageManifest } from '../../src/base/image-manifest.ts'

const file = (name: string): object => ({ name, sha256: 'a'.repeat(64), size: 1 })
const whole = {
  format: 1,
  name: 'jangada',
  version: '0.1.0',
  kernel: '6.1.0',
  architecture: 'amd64',
  bootArguments: 'apparmor=0',
  files: [file('vmlinuz'), file('initrd.img'), file('root.squashfs')],
}

t.test('a whole manifest comes back as it was, without what is not known', (t) => {
  t.same(parseImageManifest(JSON.stringify({ ...whole, later: 1 })), whole)
  t.end()
})

t.test('anything else is refused, and says why', (t) => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [[], /not an object/],
    [{ ...whole, format: 2 }, /format is 2/],
    [{ ...whole, name: '../etc' }, /name is/],
    [{ ...whole, name: undefined }, /name is missing/],
    [{ ...whole, architecture: 'arm64' }, /architecture/],
    [{ ...whole, bootArguments: 'a\nb' }, /bootArguments/],
    [{ ...whole, bootArguments: 'a'.repeat(513) }, /bootArguments/],
    [{ ...whole, files: 'vmlinuz' }, /list/],
    [{ ...whole, files: whole.files.slice(1) }, /lacks vmlinuz/],
    [{ ...whole, files: [...whole.files, file('vmlinuz')] }, /twice/],
    [{ ...whole, files: Array.from({ length: 17 }, (_, i) => file(`f${i}`)) }, /at most 16/],
    [{ ...whole, files: [...whole.files, { ...file('x'), sha256: 'A'.repeat(64) }] }, /sha256/],
    [{ ...whole, files: [...whole.files, { ...file('x'), size: 0 }] }, /size/],
    [{ ...whole, files: [...whole.files, { ...file('x'), size: 2 ** 40 }] }, /size/],
    [{ ...whole, files: [...whole.files, file('/etc/passwd')] }, /plain name/],
    [{ ...whole, files: [...whole.files, null] }, /not an object/],
  ]
  for (const [value, message] of cases) {
    const text = JSON.stringify(value)
    t.throws(() => parseImageManifest(text), { code: 'JGD_IMAGE_FORMAT', message }, text)
  }
  t.throws(() => parseImageManifest('{'), { code: 'JGD_IMAGE_FORMAT' })
  t.end()
})
