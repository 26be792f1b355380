/** Counts the keys that scans of ordered maps come past, which is what they cost. */
import { OrderedMap } from '../../../src/core/store/ordered-map.ts'

/** Counts from now until `stop`. */
export function countKeysPassed(): { passed: number; readonly stop: () => void } {
  const found = Object.getOwnPropertyDescriptor(OrderedMap.prototype, 'scan')
  const scan = found?.value as OrderedMap<unknown>['scan']
  const count = {
    passed: 0,
    stop: (): void => {
      OrderedMap.prototype.scan = scan
    },
  }
  OrderedMap.prototype.scan = function counted(from, end, visit): void {
    scan.call(this, from, end, (key, value) => {
      count.passed += 1
      return visit(key, value)
    })
  }
  return count
}
