/** `pulled-images.json` in the state directory: what this machine's units had pulled. */
import * as Type from 'typebox'
import { fromUtf8, utf8 } from '../../base/bytes.ts'
import { describeError } from '../../base/errors.ts'
import {
  imagesMax,
  namesMax,
  nothingPulled,
  type PulledImages,
  pullsMax,
} from '../../core/collection/pulled-images.ts'
import { type Disk, replaceFile } from '../../ports/disk.ts'
import type { Log } from '../../ports/log.ts'
import { checker } from '../member/wire-schemas.ts'

const path = 'pulled-images.json'

const text = Type.String({ maxLength: 1024 })
const fileSchema = Type.Object({
  v: Type.Literal(1),
  images: Type.Array(
    Type.Object({
      id: text,
      names: Type.Array(text, { maxItems: namesMax }),
      lastUsedMs: Type.Number({ minimum: 0 }),
    }),
    { maxItems: imagesMax },
  ),
  pulls: Type.Array(
    Type.Object({
      name: text,
      idBefore: Type.Optional(text),
      begunMs: Type.Number({ minimum: 0 }),
    }),
    { maxItems: pullsMax },
  ),
})
const checkFile = checker(fileSchema)

/** Nothing where it cannot be read: images that are not remembered stay. Never rejects. */
export async function readPulledImages(disk: Disk, log: Log): Promise<PulledImages> {
  try {
    if (!(await disk.exists(path))) return nothingPulled
    const { images, pulls } = checkFile(JSON.parse(fromUtf8(await disk.readFile(path))))
    return { images, pulls }
  } catch (error) {
    log.warn('which images units had pulled is not known any more; they stay', {
      cause: describeError(error),
    })
    return nothingPulled
  }
}

export const writePulledImages = (disk: Disk, pulled: PulledImages): Promise<void> =>
  replaceFile(disk, path, utf8(JSON.stringify({ v: 1, ...pulled })))
