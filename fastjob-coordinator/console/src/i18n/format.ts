import type { Language, ZoneChoice } from '../lib/settings'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A duration in two units: `410 ms`, `3.2 s`, `41 s`, `4m 12s`, `8h 42m`, `2d 16h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  const value = Math.max(0, ms)
  if (value < 1) return '0 ms'
  if (value < 999.5) return `${Math.round(value)} ms`
  if (value < 9_950) return `${trim((value / SECOND).toFixed(1))} s`
  if (value < 59_500) return `${Math.round(value / SECOND)} s`
  if (value < HOUR - 500) return two(Math.round(value / SECOND), 60, 'm', 's')
  if (value < DAY - MINUTE / 2) return two(Math.round(value / MINUTE), 60, 'h', 'm')
  return two(Math.round(value / HOUR), 24, 'd', 'h')
}

const trim = (text: string) => text.replace(/\.0$/, '')

function two(count: number, per: number, big: string, small: string): string {
  const rest = count % per
  const width = per === 60 ? 2 : 1
  return rest === 0
    ? `${Math.floor(count / per)}${big}`
    : `${Math.floor(count / per)}${big} ${String(rest).padStart(width, '0')}${small}`
}

/** A duration in its largest unit alone, for times that have passed: `18 s`, `2m`, `7h`, `26d`. */
export function coarse(ms: number): string {
  const value = Math.max(0, ms)
  if (value < 59_500) return `${Math.round(value / SECOND)} s`
  if (value < HOUR) return `${Math.floor(value / MINUTE)}m`
  if (value < DAY) return `${Math.floor(value / HOUR)}h`
  return `${Math.floor(value / DAY)}d`
}

/** Milliseconds of a duration text of the API, such as `30s`, `1h30m` or `500ms`; null if it is not one. */
export function parseSpan(text: string): number | null {
  const units: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }
  const compact = text.trim().toLowerCase().replace(/\s+/g, '')
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(compact)) return null
  let sum = 0
  for (const [, count, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    sum += Number(count) * (units[unit ?? ''] ?? 0)
  }
  return sum
}

/** The zone in which to show times. */
export function zoneOf(choice: ZoneChoice, jobZone?: string): string {
  if (choice === 'utc') return 'UTC'
  if (choice === 'job') return jobZone ?? 'UTC'
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
const looks = {
  second: { ...clock, second: '2-digit' },
  milli: { ...clock, second: '2-digit', fractionalSecondDigits: 3 },
  minute: clock,
  weekday: { weekday: 'short' },
  weekdayDay: { weekday: 'short', day: 'numeric' },
  day: { day: 'numeric', month: 'short' },
  dayYear: { day: 'numeric', month: 'short', year: 'numeric' },
  date: { year: 'numeric', month: '2-digit', day: '2-digit' },
  offset: { timeZoneName: 'longOffset' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>
type Look = keyof typeof looks

// A format costs a hundred times what its use costs: tables show thousands of times.
const formats = new Map<string, Intl.DateTimeFormat>()
function dateFormat(language: string, look: Look, timeZone: string): Intl.DateTimeFormat {
  const key = `${language} ${look} ${timeZone}`
  let format = formats.get(key)
  if (!format) {
    try {
      format = new Intl.DateTimeFormat(language, { ...looks[look], timeZone })
    } catch {
      // A zone that this browser does not know.
      format = new Intl.DateTimeFormat(language, { ...looks[look], timeZone: 'UTC' })
    }
    formats.set(key, format)
  }
  return format
}

/** `UTC+8`, `UTC−3:30`, `UTC`. */
export function offsetName(zone: string, at: Date = new Date()): string {
  const parts = dateFormat('en', 'offset', zone).formatToParts(at)
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  return name
    .replace('GMT', 'UTC')
    .replace(/\+0?0:00$|\+0$/, '')
    .replace(/([+-])0?(\d+):00/, '$1$2')
    .replace(/([+-])0(\d)/, '$1$2')
    .replace('-', '−')
}

type When = string | number | Date
const dateOf = (when: When) => (when instanceof Date ? when : new Date(when))

/** Numbers, times and durations in a language and a zone. */
export function formatter(language: Language, choice: ZoneChoice) {
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB'
  const numbers = new Intl.NumberFormat(language === 'zh' ? 'zh-CN' : 'en-US')
  const browser = zoneOf('browser')
  const zoneFor = (jobZone?: string) => (choice === 'browser' ? browser : zoneOf(choice, jobZone))
  const at = (when: When, look: Look, jobZone?: string) =>
    dateFormat(locale, look, zoneFor(jobZone)).format(dateOf(when))

  const f = {
    n: (value: number) => numbers.format(value),
    /** `99.55 %`; two digits where it is not whole. */
    percent(ratio: number, digits = 1) {
      const value = ratio * 100
      // Not quite all is never shown as all, and something never as nothing.
      const shown = value > 100 - 0.5 * 10 ** -digits && value < 100 ? 100 - 10 ** -digits : value
      return `${trim(shown.toFixed(digits))} %`
    },
    bytes(value: number) {
      const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
      let unit = 0
      let rest = value
      while (rest >= 1024 && unit < units.length - 1) {
        rest /= 1024
        unit += 1
      }
      return `${unit === 0 || rest >= 100 ? Math.round(rest) : trim(rest.toFixed(1))} ${units[unit]}`
    },
    duration,
    coarse,
    zone: zoneFor,
    /** `09:45:00`. */
    clock: (when: When, jobZone?: string) => at(when, 'second', jobZone),
    /** `09:45`. */
    minute: (when: When, jobZone?: string) => at(when, 'minute', jobZone),
    /** `Fri 27`, `27日周五`. */
    weekday: (when: When, jobZone?: string) => at(when, 'weekdayDay', jobZone).replace(',', ''),
    /** `27 Nov`, with the year if it is another one. */
    day(when: When, jobZone?: string) {
      const thisYear =
        at(when, 'date', jobZone).match(/\d{4}/)?.[0] === at(Date.now(), 'date', jobZone).match(/\d{4}/)?.[0]
      return at(when, thisYear ? 'day' : 'dayYear', jobZone)
    },
    /** A weekday with its number, `Fri 27`; the day with its month once the number alone is ambiguous. */
    fireDay: (when: When, jobZone?: string, now: number = Date.now()) =>
      dateOf(when).getTime() - now < 27 * DAY ? f.weekday(when, jobZone) : f.day(when, jobZone),
    /** The clock today, a weekday within six days, else the day. */
    near(when: When, jobZone?: string, now: number = Date.now()) {
      const date = dateOf(when)
      const far = Math.abs(date.getTime() - now)
      if (far < DAY && at(date, 'date', jobZone) === at(now, 'date', jobZone)) return f.clock(date, jobZone)
      if (far < 6 * DAY) return `${at(date, 'weekday', jobZone)} ${f.minute(date, jobZone)}`
      return `${f.day(date, jobZone)} ${f.minute(date, jobZone)}`
    },
    /** The whole instant: `27 Nov 2026 09:45:00.123 UTC+8 (Asia/Shanghai)`. */
    whole(when: When, zone: string) {
      const date = dateOf(when)
      const day = dateFormat(locale, 'dayYear', zone).format(date)
      const time = dateFormat(locale, 'milli', zone).format(date)
      return `${day} ${time} ${zone === 'UTC' ? 'UTC' : `${offsetName(zone, date)} (${zone})`}`
    },
  }
  return f
}
export type Format = ReturnType<typeof formatter>
