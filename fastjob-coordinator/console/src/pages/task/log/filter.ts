/**
 * Which lines of a log are shown, and which match a search. Lines that arrive later are looked at
 * once, so a log that grows costs only what is new.
 *
 * Lines are named by their number, which does not change when older ones are dropped.
 */
import { plain } from './ansi'
import type { LogBuffer } from './buffer'
import { type LevelFilter, passes } from './lines'
import type { Matcher } from './search'

export class LogFilter {
  private next = 1
  private first = 1
  private shown: number[] = []
  private found: number[] = []

  constructor(
    private readonly buffer: LogBuffer,
    readonly level: LevelFilter,
    readonly find: Matcher | null,
    /** Shows only lines that match. */
    readonly only: boolean,
  ) {}

  /** Whether some lines may be left out. */
  get isFiltering(): boolean {
    return this.level !== 'all' || (this.only && this.find !== null)
  }

  /** Looks at the lines that were not there before. */
  update(): void {
    const { buffer } = this
    const first = buffer.missing + 1
    if (this.first !== first) {
      this.shown = this.shown.filter((no) => no >= first)
      this.found = this.found.filter((no) => no >= first)
      this.next = Math.max(this.next, first)
      this.first = first
    }
    if (!this.isFiltering && this.find === null) {
      return
    }
    const end = buffer.missing + buffer.complete
    for (let no = this.next; no <= end; no += 1) {
      const line = buffer.line(no - first)
      if (!passes(line, this.level)) continue
      const matches = this.find !== null && this.find(plain(line.text)).length > 0
      if (matches) this.found.push(no)
      if (this.isFiltering && (matches || !(this.only && this.find !== null))) this.shown.push(no)
    }
    this.next = Math.max(this.next, end + 1)
  }

  /** How many lines are shown. */
  get length(): number {
    return this.isFiltering ? this.shown.length : this.buffer.length
  }

  /** The number of the line in a place of the list. */
  at(place: number): number {
    return this.isFiltering ? (this.shown[place] ?? 0) : this.buffer.missing + place + 1
  }

  /** The place of a line in the list, or of the next one that is shown. */
  placeOf(no: number): number {
    if (!this.isFiltering) return no - this.buffer.missing - 1
    let low = 0
    let high = this.shown.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.shown[middle] ?? 0) < no) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The numbers of the lines that match, in order. */
  get matches(): readonly number[] {
    return this.found
  }
}
