/** Schedules in English. */

import type { DayPart, Meaning, Run, Span, Time } from '../cron/describe'
import type { FieldName, Item } from '../cron/types'
import { clock, minuteText, spanText } from './clock'
import type { Language } from './language'

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
]
const NTH = ['', 'first', 'second', 'third', 'fourth', 'fifth']
const FIELDS: Record<FieldName, string> = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  day: 'day',
  month: 'month',
  weekday: 'weekday',
  year: 'year',
}

const UNITS = { ms: 'ms', s: 's', m: 'min', h: 'h', d: 'd' }

const weekday = (day: number) => WEEKDAYS[day] ?? ''
const short = (day: number) => weekday(day).slice(0, 3)
const month = (number: number) => MONTHS[number - 1] ?? ''
const every = (step: number, one: string) => (step === 1 ? `every ${one}` : `every ${step} ${one}s`)

function and(words: string[]): string {
  const last = words[words.length - 1] ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}

function runsText(runs: Run[], name: (value: number) => string, to = ' to '): string {
  return and(
    runs.map((run) => (run.from === run.to ? name(run.from) : `${name(run.from)}${to}${name(run.to)}`)),
  )
}

function windows(spans: Span[]): string {
  if (spans.length === 0) return ''
  return ` ${and(spans.map((span) => `from ${spanText(span, ' to ')}`))}`
}

function timeText(time: Time): string {
  switch (time.kind) {
    case 'at':
      return `at ${and(time.clocks.map(clock))}`
    case 'seconds':
      return every(time.step, 'second') + windows(time.windows)
    case 'minutes': {
      const from = time.offset === 0 ? '' : ` from ${minuteText(time.offset, 0)}`
      const second = time.second === 0 ? '' : ` at second ${time.second}`
      return every(time.step, 'minute') + from + second + windows(time.windows)
    }
    case 'hourly': {
      const [only] = time.minutes
      const plain = time.minutes.length === 1 && only === 0 && time.second === 0
      const first = time.windows.length > 0 && time.minutes.length === 1
      if (plain || first) return `hourly${windows(time.windows)}`
      return `hourly at ${and(time.minutes.map((minute) => minuteText(minute, time.second)))}${windows(time.windows)}`
    }
    case 'hours': {
      const at =
        time.from || (time.minute === 0 && time.second === 0)
          ? ''
          : ` at ${minuteText(time.minute, time.second)}`
      const from = time.from ? ` from ${clock(time.from)}` : ''
      return every(time.step, 'hour') + at + from + (time.to ? ` to ${clock(time.to)}` : '')
    }
  }
}

function dayPart(part: DayPart, oneMonth: string): string {
  switch (part.kind) {
    case 'dates': {
      const single = part.runs.length === 1 && part.runs[0]?.from === part.runs[0]?.to
      if (oneMonth) return `on ${runsText(part.runs, String)} ${oneMonth}`
      return `on ${single ? 'day' : 'days'} ${runsText(part.runs, String)}`
    }
    case 'everyNth':
      return `every ${part.step} days from day ${part.from} of the month`
    case 'last':
      if (part.workday && part.back > 0)
        return `on the workday nearest to ${part.back} days before the last day of the month`
      if (part.workday) return 'on the last workday of the month'
      if (part.back === 0) return 'on the last day of the month'
      return `${part.back === 1 ? '1 day' : `${part.back} days`} before the last day of the month`
    case 'near':
      return `on the workday nearest to day ${part.day}`
    case 'week':
      if (part.days.join() === '1,2,3,4,5') return 'on weekdays'
      if (part.days.join() === '6,0') return 'on weekends'
      if (part.days.length === 1) return `on ${weekday(part.days[0] ?? 0)}s`
      return `on ${runsText(part.runs, short)}`
    case 'lastOf':
      return `on the last ${weekday(part.weekday)} of the month`
    case 'nth':
      return `on the ${NTH[part.nth]} ${weekday(part.weekday)} of the month`
  }
}

function meaning({ time, days, months, years }: Meaning): string {
  const onlyMonth =
    months.length === 1 && months[0]?.from === months[0]?.to ? month(months[0]?.from ?? 1) : ''
  const inDays = days.length === 1 && days[0]?.kind === 'dates' ? onlyMonth : ''
  const daily = days.length === 0 && time.kind === 'at' ? 'daily' : ''
  const dayText = daily || and(days.map((part) => dayPart(part, inDays)))
  const at = timeText(time)
  const head = time.kind === 'at' ? `${dayText} ${at}` : [at, dayText].filter(Boolean).join(' ')
  const inMonths = months.length > 0 && !inDays ? ` in ${runsText(months, month)}` : ''
  const inYears = years.length > 0 ? ` in ${runsText(years, String)}` : ''
  return head + inMonths + inYears
}

function item(name: FieldName, part: Item): string {
  const say = (value: number) =>
    name === 'weekday' ? short(value) : name === 'month' ? month(value).slice(0, 3) : String(value)
  switch (part.kind) {
    case 'any':
      return `every ${FIELDS[name]}`
    case 'value':
      return say(part.value)
    case 'range':
      return `${say(part.from)}–${say(part.to)}`
    case 'step': {
      const span = part.to === null ? '' : `–${say(part.to)}`
      const from =
        part.from === null || (part.to === null && part.from === (name === 'day' || name === 'month' ? 1 : 0))
      return `every ${part.step} ${FIELDS[name]}s${from ? '' : ` from ${say(part.from ?? 0)}`}${span}`
    }
    case 'last':
      return dayPart(part, '').replace(/^on the /, '')
    case 'near':
      return dayPart(part, '').replace(/^on the /, '')
    case 'lastOf':
      return `last ${short(part.weekday)}`
    case 'nth':
      return `${NTH[part.nth]} ${short(part.weekday)}`
  }
}

export const en: Language = {
  meaning,
  alone(text) {
    const rest = text.replace(/^(on the|on|at) /, '')
    return rest.charAt(0).toUpperCase() + rest.slice(1)
  },
  field: (name) => FIELDS[name],
  item,
  list: (words) => words.join(', '),
  fieldwise: (parts) =>
    parts.map(({ name, text }) => (text.startsWith('every') ? text : `${FIELDS[name]} ${text}`)).join(' · '),
  span: (parts) => parts.map(({ count, unit }) => `${count} ${UNITS[unit]}`).join(' '),
  none: 'By hand',
  noneInline: 'by hand or by a call',
  rate: (span) => `every ${span}`,
  delay: (span) => `${span} after the last`,
  once: (at) => `once, ${at}`,
  locale: 'en-GB',
}
