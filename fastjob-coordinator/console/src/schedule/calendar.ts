/** Excluded days and hours, as `fastjob-core/src/schedule/calendar/` reads them. */

import type { Language } from '../lib/settings'
import type { Wall } from './zone'

export type DayEntry =
  | { kind: 'date'; from: string; to: string }
  /** `12-25` of every year; a range may go over the end of the year. */
  | { kind: 'yearly'; from: string; to: string }
  /** From 0, Sunday. */
  | { kind: 'weekday'; from: number; to: number }

export interface HourEntry {
  /** Minutes since midnight; if `until` is smaller, the next day. */
  from: number
  until: number
}

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const LONG = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const DAY = 24 * 60

export function parseDay(text: string): DayEntry | null {
  const parts = text.split('..')
  if (parts.length > 2) return null
  const from = parseOneDay(parts[0] ?? '')
  const to = parts.length === 2 ? parseOneDay(parts[1] ?? '') : from
  if (!from || !to || from.kind !== to.kind) return null
  if (from.kind === 'weekday' && to.kind === 'weekday') return { kind: 'weekday', from: from.day, to: to.day }
  if (from.kind === 'weekday' || to.kind === 'weekday') return null
  if (from.kind === 'date' && from.text > to.text) return null
  return { kind: from.kind, from: from.text, to: to.text }
}

type OneDay = { kind: 'weekday'; day: number } | { kind: 'date' | 'yearly'; text: string }

function parseOneDay(part: string): OneDay | null {
  const text = part.trim()
  const lower = text.toLowerCase()
  const day = Math.max(WEEKDAYS.indexOf(lower), LONG.indexOf(lower))
  if (day >= 0) return { kind: 'weekday', day }
  const yearly = /^\d\d-\d\d$/.test(text)
  if (!yearly && !/^\d{4}-\d\d-\d\d$/.test(text)) return null
  const whole = yearly ? `2028-${text}` : text
  const date = new Date(`${whole}T00:00:00Z`)
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== whole) return null
  const year = date.getUTCFullYear()
  if (!yearly && (year < 1970 || year > 2199)) return null
  return { kind: yearly ? 'yearly' : 'date', text }
}

export function parseHours(text: string): HourEntry | null {
  const match = /^\s*(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?\s*$/.exec(text)
  if (!match) return null
  const minute = (hour: string | undefined, rest: string | undefined) => {
    const minutes = Number(rest ?? 0)
    return minutes < 60 ? Number(hour) * 60 + minutes : DAY + 1
  }
  const from = minute(match[1], match[2])
  const until = minute(match[3], match[4])
  if (from >= DAY || until > DAY || from === until) return null
  return { from, until: until === 0 ? DAY : until }
}

/** Whether the wall clock shows an excluded day or hour. What is not an entry excludes nothing. */
export function isExcluded(wall: Wall, days: string[], hours: string[]): boolean {
  return (
    days.some((text) => inDays(wall, parseDay(text))) || hours.some((text) => inHours(wall, parseHours(text)))
  )
}

const two = (value: number) => String(value).padStart(2, '0')

function inDays(wall: Wall, entry: DayEntry | null): boolean {
  if (!entry) return false
  if (entry.kind === 'weekday') return between(wall.weekday, entry.from, entry.to)
  const yearly = `${two(wall.month)}-${two(wall.day)}`
  return between(entry.kind === 'yearly' ? yearly : `${wall.year}-${yearly}`, entry.from, entry.to)
}

function inHours(wall: Wall, entry: HourEntry | null): boolean {
  if (!entry) return false
  const at = wall.hour * 60 + wall.minute
  const { from, until } = entry
  return from < until ? at >= from && at < until : at >= from || at < until
}

function between<T extends string | number>(value: T, from: T, to: T): boolean {
  return from <= to ? value >= from && value <= to : value >= from || value <= to
}

/** `25 Dec`, `Saturdays`, `24–26 Dec 2026`; what is not an entry is left as it is. */
export function dayWords(text: string, language: Language): string {
  const entry = parseDay(text)
  if (!entry) return text
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB'
  if (entry.kind === 'weekday') {
    const style = entry.from === entry.to && language === 'en' ? 'long' : 'short'
    const name = (day: number) =>
      new Intl.DateTimeFormat(locale, { weekday: style, timeZone: 'UTC' }).format(Date.UTC(2026, 0, 4 + day))
    if (entry.from === entry.to) return language === 'zh' ? `每${name(entry.from)}` : `${name(entry.from)}s`
    return language === 'zh'
      ? `${name(entry.from)}至${name(entry.to)}`
      : `${name(entry.from)} to ${name(entry.to)}`
  }
  const year = entry.kind === 'date' ? ({ year: 'numeric' } as const) : {}
  const format = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', ...year, timeZone: 'UTC' })
  const date = (day: string) => new Date(`${entry.kind === 'yearly' ? `2028-${day}` : day}T00:00:00Z`)
  if (entry.from === entry.to) return format.format(date(entry.from))
  const between = language === 'zh' ? '至' : ' to '
  return `${format.format(date(entry.from))}${between}${format.format(date(entry.to))}`
}

/** `22:00–06:00`. */
export function hourWords(text: string): string {
  const entry = parseHours(text)
  if (!entry) return text
  const clock = (minutes: number) => `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
  return `${clock(entry.from)}–${clock(entry.until)}`
}
