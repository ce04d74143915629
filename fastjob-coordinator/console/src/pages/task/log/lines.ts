/**
 * Lines of a log.
 *
 * An entry starts with its instant, `2026-11-23T08:00:00.123Z text`; events of `tracing` have their
 * level in front of the text. An entry may have several lines: those after the first one have no
 * instant, and the level of their entry.
 */

export type Level = 'error' | 'warn' | 'info' | 'debug' | 'trace'

export interface Line {
  /** Counted from 1. */
  readonly no: number
  /** Milliseconds since 1970; null for a line that continues an entry. */
  readonly at: number | null
  readonly level: Level | null
  readonly text: string
}

const ENTRY = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z) ?/
const LEVEL = /^\s?(ERROR|WARN|INFO|DEBUG|TRACE) /

const LEVELS: Record<string, Level> = {
  ERROR: 'error',
  WARN: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
  TRACE: 'trace',
}

/** Parses one line. `before` is the level of the entry that the line may continue. */
export function parseLine(no: number, raw: string, before: Level | null): Line {
  const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw
  const entry = ENTRY.exec(text)
  if (!entry) {
    return { no, at: null, level: before, text }
  }
  const at = Date.parse(entry[1] ?? '')
  const rest = text.slice(entry[0].length)
  const level = LEVEL.exec(rest)
  return {
    no,
    at: Number.isNaN(at) ? null : at,
    level: level ? (LEVELS[level[1] ?? ''] ?? null) : null,
    text: level ? rest.slice(level[0].length) : rest,
  }
}

/** Which levels a filter shows: those that are at least as severe. */
export type LevelFilter = 'all' | 'info' | 'warn' | 'error'

/** Lines without a level were written by the handler itself: they count as `info`. */
export function passes(line: Line, filter: LevelFilter): boolean {
  switch (filter) {
    case 'all':
      return true
    case 'info':
      return line.level !== 'debug' && line.level !== 'trace'
    case 'warn':
      return line.level === 'warn' || line.level === 'error'
    case 'error':
      return line.level === 'error'
  }
}
