/**
 * The three functions of the decorator-metadata proposal that tsyringe, inside @peculiar/x509,
 * refuses to load without. They store and find; nothing of ours uses them.
 */

type Metadata = Map<unknown, unknown>
interface ReflectWithMetadata {
  defineMetadata?: (key: unknown, value: unknown, target: object) => void
  getOwnMetadata?: (key: unknown, target: object) => unknown
  getMetadata?: (key: unknown, target: object) => unknown
}

const store = new WeakMap<object, Metadata>()
const reflect = Reflect as ReflectWithMetadata

const getOwn = (key: unknown, target: object): unknown => store.get(target)?.get(key)

reflect.defineMetadata ??= (key, value, target) => {
  const metadata = store.get(target) ?? new Map<unknown, unknown>()
  store.set(target, metadata.set(key, value))
}
reflect.getOwnMetadata ??= getOwn
reflect.getMetadata ??= (key, target) => {
  for (let at: object | null = target; at !== null; at = Reflect.getPrototypeOf(at)) {
    if (store.get(at)?.has(key) === true) return getOwn(key, at)
  }
  return undefined
}
