/** Names of images as Docker's engine writes them, so that a unit's word can be compared with its. */

/** Docker's own registry, which its engine leaves out of names, as it does `library/`. */
const ownRegistry = /^(?:index\.)?docker\.io\//

/**
 * `busybox`, `docker.io/library/busybox` and `busybox:latest` are `busybox:latest`. With a digest there is no
 * tag: `app:1@sha256:…` is `app@sha256:…`. What is no name, an id say, stays as it is.
 */
export function engineName(reference: string): string {
  const short = reference.replace(ownRegistry, '').replace(/^library\//, '')
  const [name = '', digest] = short.split('@')
  const slash = name.lastIndexOf('/')
  const colon = name.indexOf(':', slash + 1)
  if (digest !== undefined) return `${colon < 0 ? name : name.slice(0, colon)}@${digest}`
  return colon < 0 ? `${name}:latest` : name
}
