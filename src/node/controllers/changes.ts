/** Views that say which of their keys have changed since somebody asked. */
import type { Revision } from '../../base/ids.ts'
import type { RecordKind } from '../../core/records/record.ts'
import type { KeyValue, StoreEvent } from '../../core/store/types.ts'
import { RecordView } from '../member/follow.ts'
import { type ControllerContext, followView, type Office } from './context.ts'

export class ChangesView<T, Parts extends readonly string[]> extends RecordView<T, Parts> {
  #changed = new Set<string>()

  override reset(items: readonly KeyValue[], at: Revision): void {
    this.changedAll()
    for (const { key } of items) this.#changed.add(key)
    super.reset(items, at)
  }

  override change(events: readonly StoreEvent[], at: Revision): void {
    for (const event of events) {
      this.#changed.add(event.kind === 'put' ? event.item.key : event.key)
    }
    super.change(events, at)
  }

  /** Each key that was put or deleted since the last call. */
  takeChanged(): ReadonlySet<string> {
    if (this.#changed.size === 0) return none
    const taken = this.#changed
    this.#changed = new Set()
    return taken
  }

  /** As if every record were new. */
  changedAll(): void {
    for (const key of this.items.keys()) this.#changed.add(key)
  }
}

const none: ReadonlySet<string> = new Set()

/** As `viewOf`. */
export function changesOf<T, Parts extends readonly string[]>(
  context: ControllerContext,
  kind: RecordKind<T, Parts>,
  office: Office,
  onChange: () => void,
): ChangesView<T, Parts> {
  return followView(context, new ChangesView(kind, onChange), office)
}
