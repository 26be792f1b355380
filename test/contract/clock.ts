/** What every side of `ports/Clock` must do. */
import type { Test } from 'tap'
import { sleep } from '../../src/ports/clock.ts'
import type { Clock } from '../../src/ports/clock.ts'

export interface ClockSide {
  readonly clock: Clock
  /** Lets time pass until `promise` settles: a real clock needs nothing but waiting. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>
}

export function clockContract(t: Test, makeSide: () => ClockSide): void {
  t.test('a timer fires once, and no sooner than asked', async (t) => {
    const { clock, run } = makeSide()
    for (const delayMs of [0, 0.4, 1, 3.7, 12]) {
      const startMs = clock.monotonicMs()
      let fired = 0
      await run(
        new Promise<void>((resolve) => {
          clock.after(delayMs, () => {
            fired += 1
            resolve()
          })
        }),
      )
      t.ok(clock.monotonicMs() - startMs >= delayMs, `${delayMs} ms`)
      await run(sleep(clock, 5))
      t.equal(fired, 1)
    }
  })

  t.test('timers fire in the order of their times', async (t) => {
    const { clock, run } = makeSide()
    const order: number[] = []
    for (const delayMs of [40, 5, 20]) clock.after(delayMs, () => order.push(delayMs))
    await run(sleep(clock, 60))
    t.same(order, [5, 20, 40])
  })

  t.test('a cancelled timer never fires, and cancelling twice is harmless', async (t) => {
    const { clock, run } = makeSide()
    let fired = false
    const timer = clock.after(1, () => {
      fired = true
    })
    timer.cancel()
    timer.cancel()
    await run(sleep(clock, 10))
    t.notOk(fired)
  })

  t.test('monotonic time never goes back, and wall time is a date', async (t) => {
    const { clock, run } = makeSide()
    const startMs = clock.monotonicMs()
    await run(sleep(clock, 2))
    t.ok(clock.monotonicMs() > startMs)
    t.ok(clock.wallMs() > Date.UTC(2024, 0), 'milliseconds since 1970')
  })

  endsTurns(t, makeSide)

  abortsSleeps(t, makeSide)
  t.end()
}

function endsTurns(t: Test, makeSide: () => ClockSide): void {
  t.test("what waits for a turn's end comes after all of the turn, once, in order", async (t) => {
    const { clock, run } = makeSide()
    const order: string[] = []
    await run(
      new Promise<void>((resolve) => {
        clock.after(1, () => {
          clock.atTurnsEnd(() => {
            order.push('first')
            // What it leads to needs no turn of its own.
            clock.atTurnsEnd(() => {
              order.push('third')
              resolve()
            })
          })
          clock.atTurnsEnd(() => order.push('second'))
          order.push('turn')
        })
      }),
    )
    await run(sleep(clock, 2))
    t.same(order, ['turn', 'first', 'second', 'third'])
  })
}

function abortsSleeps(t: Test, makeSide: () => ClockSide): void {
  t.test('an aborted sleep ends at once', async (t) => {
    const { clock, run } = makeSide()
    const aborted = new AbortController()
    const hourMs = 3_600_000
    const sleeping = sleep(clock, hourMs, aborted.signal)
    clock.after(1, () => aborted.abort())
    await run(sleeping)
    t.ok(clock.monotonicMs() < hourMs)
    await run(sleep(clock, hourMs, aborted.signal))
  })
}
