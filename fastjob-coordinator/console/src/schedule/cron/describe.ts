/** What an expression means, as a structure that each language puts into words. Bounded: an expression that
 * cannot be said briefly gives null, and is then shown field by field. */

import type { Cron, Field, Item } from './types'

export interface Clock {
  hour: number
  minute: number
  second: number
}

export interface Span {
  from: Clock
  to: Clock
}

export type Time =
  | { kind: 'at'; clocks: Clock[] }
  | { kind: 'seconds'; step: number; windows: Span[] }
  /** `offset` is the first minute of the hour, 0 unless the steps start later. */
  | { kind: 'minutes'; step: number; offset: number; second: number; windows: Span[] }
  /** At these minutes of each hour. */
  | { kind: 'hourly'; minutes: number[]; second: number; windows: Span[] }
  | { kind: 'hours'; step: number; minute: number; second: number; from: Clock | null; to: Clock | null }

export interface Run {
  from: number
  to: number
}

export type DayPart =
  | { kind: 'dates'; runs: Run[] }
  | { kind: 'everyNth'; step: number; from: number }
  | { kind: 'last'; back: number; workday: boolean }
  | { kind: 'near'; day: number }
  | { kind: 'week'; days: number[]; runs: Run[] }
  | { kind: 'lastOf'; weekday: number }
  | { kind: 'nth'; weekday: number; nth: number }

export interface Meaning {
  time: Time
  /** Empty: every day. A day that matches one of them is enough. */
  days: DayPart[]
  months: Run[]
  years: Run[]
}

const MOST_CLOCKS = 4
const MOST_RUNS = 4
const MOST_PARTS = 4

export function meaningOf(cron: Cron): Meaning | null {
  const time = timeOf(cron)
  const days = daysOf(cron)
  const months = cron.fields.month.any ? [] : runs(cron.fields.month.values)
  const years = cron.fields.year.any ? [] : runs(cron.fields.year.values)
  if (!time || !days || months.length > MOST_RUNS || years.length > MOST_RUNS) return null
  return { time, days, months, years }
}

/** Values as runs: 1, 2, 3, 7 as 1–3, 7. Two neighbours stay apart. */
export function runs(values: number[]): Run[] {
  const found: Run[] = []
  for (const value of values) {
    const last = found[found.length - 1]
    if (last && value === last.to + 1) last.to = value
    else found.push({ from: value, to: value })
  }
  return found.flatMap(({ from, to }) =>
    to === from + 1
      ? [
          { from, to: from },
          { from: to, to },
        ]
      : [{ from, to }],
  )
}

/** Steps over a whole unit: each value is `step` after the last one, all through the unit. */
interface Steps {
  step: number
  offset: number
}

function steps(values: number[], size: number): Steps | null {
  const [first, second] = values
  if (first === undefined) return null
  const step = second === undefined ? size : second - first
  const even = values.every((value, index) => value === first + index * step)
  return even && size % step === 0 && values.length === size / step ? { step, offset: first } : null
}

function timeOf({ fields: { second, minute, hour } }: Cron): Time | null {
  const seconds = second.values
  const single = seconds.length === 1 ? (seconds[0] as number) : null
  if (single !== null) {
    const [only] = hour.items
    // Steps stay steps where they fire often enough to be heard as such.
    const stepped = hour.items.length === 1 && only?.kind === 'step' && hour.values.length > 2
    if (stepped && minute.values.length === 1) return hoursOf(hour, minute.values[0] as number, single)
    const clocks = clocksOf(hour.values, minute.values, single)
    if (clocks) return { kind: 'at', clocks }
    return minute.values.length === 1
      ? hoursOf(hour, minute.values[0] as number, single)
      : minutesOf(minute, hour, single)
  }
  const even = steps(seconds, 60)
  const windows = windowsOf(hour, 59)
  if (even?.offset !== 0 || minute.values.length !== 60 || !windows) return null
  return { kind: 'seconds', step: even.step, windows }
}

function clocksOf(hours: number[], minutes: number[], second: number): Clock[] | null {
  if (hours.length * minutes.length > MOST_CLOCKS) return null
  return hours.flatMap((hour) => minutes.map((minute) => ({ hour, minute, second })))
}

/** One minute of several hours. */
function hoursOf(hour: Field, minute: number, second: number): Time | null {
  const { values } = hour
  if (values.length === 24) return { kind: 'hourly', minutes: [minute], second, windows: [] }
  const clock = (at: number) => ({ hour: at, minute, second })
  const whole = steps(values, 24)
  if (whole) {
    const from = whole.offset === 0 ? null : clock(whole.offset)
    return { kind: 'hours', step: whole.step, minute, second, from, to: null }
  }
  const [first, next] = values as [number, number]
  const last = values[values.length - 1] as number
  const step = next - first
  if (values.every((value, index) => value === first + index * step)) {
    if (step === 1)
      return { kind: 'hourly', minutes: [minute], second, windows: [{ from: clock(first), to: clock(last) }] }
    return { kind: 'hours', step, minute, second, from: clock(first), to: clock(last) }
  }
  const spans = spansOf(
    hour,
    (from) => clock(from),
    (to) => clock(to),
  )
  return spans && { kind: 'hourly', minutes: [minute], second, windows: spans }
}

/** Several minutes of an hour. */
function minutesOf(minute: Field, hour: Field, second: number): Time | null {
  const windows = windowsOf(hour, second)
  if (!windows) return null
  const even = steps(minute.values, 60)
  if (even) return { kind: 'minutes', step: even.step, offset: even.offset, second, windows }
  return minute.values.length > MOST_CLOCKS
    ? null
    : { kind: 'hourly', minutes: minute.values, second, windows }
}

/** The hours as spans of the clock; empty for the whole day, null if there are too many. */
function windowsOf(hour: Field, second: number): Span[] | null {
  if (hour.values.length === 24) return []
  return spansOf(
    hour,
    (from) => ({ hour: from, minute: 0, second: 0 }),
    (to) => ({ hour: to, minute: 59, second: second === 59 ? 59 : 0 }),
  )
}

function spansOf(hour: Field, start: (hour: number) => Clock, end: (hour: number) => Clock): Span[] | null {
  const whole: Run[] = []
  for (const value of hour.values) {
    const last = whole[whole.length - 1]
    if (last && value === last.to + 1) last.to = value
    else whole.push({ from: value, to: value })
  }
  const [first] = whole
  const last = whole[whole.length - 1]
  // 22–2 is one span over midnight.
  if (first && last && first !== last && first.from === 0 && last.to === 23) {
    whole.pop()
    whole[0] = { from: last.from, to: first.to }
  }
  return whole.length > 2 ? null : whole.map(({ from, to }) => ({ from: start(from), to: end(to) }))
}

function daysOf({ fields: { day, weekday }, either }: Cron): DayPart[] | null {
  const month = day.any || day.values.length === 31 ? [] : dayParts(day)
  const week = weekday.any || weekday.values.length === 7 ? [] : weekParts(weekday)
  if (!month || !week) return null
  if (month.length === 0 || week.length === 0) {
    // Unix: `0 0 1-31 * 1` fires every day, because either field is enough.
    const every = either && !day.any && !weekday.any && (month.length === 0 || week.length === 0)
    return every ? [] : [...month, ...week]
  }
  // Both must match, as in `0 0 */2 * 1`: there are no few words for that.
  if (!either || month.length + week.length > MOST_PARTS) return null
  return [...month, ...week]
}

function dayParts({ items, values }: Field): DayPart[] | null {
  const parts: DayPart[] = []
  const [only] = items
  if (items.length === 1 && only?.kind === 'step' && only.step > 1 && only.to === null) {
    return [{ kind: 'everyNth', step: only.step, from: only.from ?? 1 }]
  }
  if (values.length > 0) {
    const dates = runs(values)
    if (dates.length > MOST_RUNS) return null
    parts.push({ kind: 'dates', runs: dates })
  }
  return withMarks(parts, items)
}

function weekParts({ items, values }: Field): DayPart[] | null {
  const parts: DayPart[] = []
  if (values.length > 0) {
    // The week begins with Monday.
    const days = values.map((value) => (value + 6) % 7).sort((a, b) => a - b)
    const back = (day: number) => (day + 1) % 7
    parts.push({
      kind: 'week',
      days: days.map(back),
      runs: runs(days).map(({ from, to }) => ({ from: back(from), to: back(to) })),
    })
  }
  return withMarks(parts, items)
}

/** Adds what only Quartz has. */
function withMarks(parts: DayPart[], items: Item[]): DayPart[] | null {
  for (const item of items) {
    if (item.kind === 'last' || item.kind === 'near' || item.kind === 'lastOf' || item.kind === 'nth')
      parts.push(item)
  }
  return parts.length > MOST_PARTS ? null : parts
}
