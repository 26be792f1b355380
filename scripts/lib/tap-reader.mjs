/**
 * Reads TAP as tap's runner writes it, and counts. A point that closes a subtest says nothing new
 * unless it fails while all its points passed (a time-out, a crash, a plan not kept); so what is
 * counted is assertions, and such failures.
 */

/** Lines of evidence kept for one file: the first failures explain the later ones. */
const evidenceLinesMax = 120

const indent = (line) => line.search(/\S|$/)

export class TapReader {
  passed = 0
  failed = 0
  skipped = 0
  #onFile
  /** What has been counted at each depth since the last point above it. */
  #levels = []
  #evidence = []
  /** The indentation of the YAML block being read, and whether it explains a failure. */
  #block = undefined
  #lastFailed = false
  /** A file whose point has been read; a block that explains it may follow. */
  #ended = undefined

  /** `onFile({ name, passed, failed, skipped, evidence })` is called as each file ends. */
  constructor(onFile) {
    this.#onFile = onFile
  }

  line(line) {
    if (this.#ended !== undefined && this.#block === undefined && line !== '  ---') this.end()
    if (this.#block !== undefined) this.#readBlock(line)
    else if (/^\s*---$/.test(line)) this.#block = { indent: indent(line), keep: this.#lastFailed }
    else this.#readPoint(line)
  }

  /** After the last line. */
  end() {
    const ended = this.#ended
    if (ended === undefined) return
    this.#ended = undefined
    const evidence = this.#evidence
    this.#evidence = []
    this.#onFile({ ...ended, evidence })
  }

  #readBlock(line) {
    if (/^\s*\.\.\.$/.test(line) && indent(line) === this.#block.indent) this.#block = undefined
    else if (this.#block.keep) this.#keep(line)
  }

  #readPoint(line) {
    const point = /^\s*(not )?ok \d+(?: - (.*))?$/.exec(line)
    if (point === null) return
    const depth = indent(line) / 4
    const ok = point[1] === undefined
    const below = this.#levels[depth + 1]
    const own = below ?? leaf(ok, point[2] ?? '')
    this.#lastFailed = !ok && (below === undefined || below.failed === 0) && own.skipped === 0
    if (this.#lastFailed) {
      if (below !== undefined) own.failed += 1
      this.#keep(line)
    }
    this.#levels.length = depth + 1
    if (depth === 0) this.#endFile(point[2] ?? '', own)
    else this.#levels[depth] = add(this.#levels[depth], own)
  }

  #endFile(description, own) {
    this.passed += own.passed
    this.failed += own.failed
    this.skipped += own.skipped
    this.#levels = []
    this.#ended = { name: description.replace(/ # time=.*$/, ''), ...own }
  }

  #keep(line) {
    if (this.#evidence.length < evidenceLinesMax) this.#evidence.push(line)
  }
}

function leaf(ok, description) {
  const put = / # (SKIP|TODO)\b/i.test(description)
  return { passed: ok && !put ? 1 : 0, failed: ok || put ? 0 : 1, skipped: put ? 1 : 0 }
}

function add(sum = { passed: 0, failed: 0, skipped: 0 }, more) {
  return {
    passed: sum.passed + more.passed,
    failed: sum.failed + more.failed,
    skipped: sum.skipped + more.skipped,
  }
}
