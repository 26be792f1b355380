/** Work that is asked for more often than it need be done. */

/**
 * Runs `work` whenever it was asked for, one run at a time: asking during a run brings one more
 * run after it. `work` never rejects.
 */
export class Once {
  readonly #work: () => Promise<void>
  #running = false
  #again = false

  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  ask(): void {
    this.#again = true
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#again) {
      this.#again = false
      await this.#work()
    }
    this.#running = false
  }
}
