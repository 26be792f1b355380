/** System images on this node: what blank machines boot. */
import { JangadaError } from '../../base/errors.ts'
import { isImageName, isSha256 } from '../../base/image-manifest.ts'
import type { StoredImage } from '../assets/assets.ts'
import type { ImageRow } from './answers.ts'
import { badRequest } from './check.ts'
import type { ApiContext, ApiImages } from './context.ts'
import { json } from './messages.ts'
import type { Route } from './router.ts'

export function imageRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/images',
      access: 'read',
      handle: async () => json({ images: (await imagesOf(context).list()).map(imageRow) }),
    },
    {
      method: 'POST',
      path: '/v1/images',
      access: 'admin',
      handle: async ({ query, upload }) => {
        const sha256 = query.get('sha256') ?? ''
        if (!isSha256(sha256)) {
          throw badRequest('sha256= is 64 lower-case hex digits', 'sha256sum FILE prints them')
        }
        if (upload === undefined) {
          throw badRequest('the body is the archive, as application/octet-stream')
        }
        return json(imageRow(await imagesOf(context).import(upload, sha256)), 201)
      },
    },
    {
      method: 'DELETE',
      path: '/v1/images/:name',
      access: 'admin',
      handle: async ({ parameters: { name = '' } }) => {
        if (isImageName(name) && (await imagesOf(context).remove(name))) return json({ name })
        throw new JangadaError('JGD_NOT_FOUND', `this node has no image ${name}`, {
          hint: 'jangada image ls',
        })
      },
    },
  ]
}

function imagesOf({ images }: ApiContext): ApiImages {
  if (images !== undefined) return images
  throw new JangadaError('JGD_NOT_FOUND', 'this node stores no images', {
    hint: 'ask a node that was started with --link INTERFACE',
  })
}

export const imageRow = ({ sha256, manifest }: StoredImage): ImageRow => ({
  name: manifest.name,
  version: manifest.version,
  kernel: manifest.kernel,
  sha256,
  bytes: manifest.files.reduce((sum, { size }) => sum + size, 0),
})
