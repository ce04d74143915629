/**
 * The lines of a log that were read, bounded in number and in characters.
 *
 * When a bound is reached, the oldest lines are dropped: a log that is followed stays readable, and
 * the page says how many lines are missing. The whole log can be downloaded.
 */

import { type Level, type Line, parseLine } from './lines'

export interface Bounds {
  readonly lines: number
  readonly characters: number
}

export const BOUNDS: Bounds = { lines: 500_000, characters: 48_000_000 }

/** The longest part of a line that waits for its end. */
const LINE = 1_000_000

/** A bound is exceeded by this share before lines are dropped, so that each drop frees many. */
const SLACK = 1.1

export class LogBuffer {
  private raw: string[] = []
  private levels: (Level | null)[] = []
  private partial = ''
  private size = 0
  private dropped = 0

  constructor(private readonly bounds: Bounds = BOUNDS) {}

  /** How many lines there are, with one that has no end yet. */
  get length(): number {
    return this.raw.length + (this.partial === '' ? 0 : 1)
  }

  /** How many lines have their end. */
  get complete(): number {
    return this.raw.length
  }

  /** How many lines were dropped at the beginning. */
  get missing(): number {
    return this.dropped
  }

  /** Appends a piece. A line that it cuts continues with the next piece. */
  append(piece: string): void {
    const parts = (this.partial + piece).split('\n')
    this.partial = parts.pop() ?? ''
    // A line without an end is cut: joined again and again, it would take time and memory without bound.
    if (this.partial.length > LINE) {
      parts.push(this.partial)
      this.partial = ''
    }
    for (const part of parts) {
      this.levels.push(this.levelOf(part))
      this.raw.push(part)
      this.size += part.length
    }
    this.trim()
  }

  /** The line at an index from 0, without those that were dropped. */
  line(index: number): Line {
    const raw = index < this.raw.length ? (this.raw[index] ?? '') : this.partial
    const before = index > 0 ? (this.levels[index - 1] ?? null) : null
    return parseLine(this.dropped + index + 1, raw, before)
  }

  /** The lines as they were written, for a download of what is shown. */
  text(index: number): string {
    return index < this.raw.length ? (this.raw[index] ?? '') : this.partial
  }

  private levelOf(raw: string): Level | null {
    const before = this.levels.length > 0 ? (this.levels[this.levels.length - 1] ?? null) : null
    return parseLine(0, raw, before).level
  }

  private trim(): void {
    const { lines, characters } = this.bounds
    if (this.raw.length <= lines * SLACK && this.size <= characters * SLACK) {
      return
    }
    let drop = Math.max(0, this.raw.length - lines)
    let freed = 0
    for (let i = 0; i < drop; i += 1) {
      freed += this.raw[i]?.length ?? 0
    }
    while (this.size - freed > characters && drop < this.raw.length) {
      freed += this.raw[drop]?.length ?? 0
      drop += 1
    }
    this.raw = this.raw.slice(drop)
    this.levels = this.levels.slice(drop)
    this.size -= freed
    this.dropped += drop
  }
}
