/** Durations as the coordinator writes and reads them: `30s`, `1h 30m`, `250ms`, `2d`. */

export type SpanUnit = 'd' | 'h' | 'm' | 's' | 'ms'

export interface SpanPart {
  count: number
  unit: SpanUnit
}

const MILLIS: Record<SpanUnit, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }
/** Ten years, the longest that the coordinator accepts. */
export const LONGEST = 10 * 365 * MILLIS.d

const LABELS: Record<string, SpanUnit> = {
  ...{ h: 'h', hr: 'h', hrs: 'h', hour: 'h', hours: 'h' },
  ...{ m: 'm', min: 'm', mins: 'm', minute: 'm', minutes: 'm' },
  ...{ s: 's', sec: 's', secs: 's', second: 's', seconds: 's' },
  ...{ ms: 'ms', msec: 'ms', msecs: 'ms', millisecond: 'ms', milliseconds: 'ms', milli: 'ms', millis: 'ms' },
}
const ORDER: SpanUnit[] = ['d', 'h', 'm', 's', 'ms']

/** The milliseconds; null if the text is not a duration. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim()
  const days = /^(\d+)\s*d$/.exec(trimmed)
  if (days) return bounded(Number(days[1]) * MILLIS.d)
  if (!/^(\d+(\.\d+)?\s*[a-z]+[\s,]*)+$/i.test(trimmed)) return null
  let sum = 0
  let before = 0
  let fraction = false
  for (const [, count = '', label = ''] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)) {
    const unit = LABELS[label]
    // Each unit once, the largest first; a fraction only in the last one.
    if (!unit || fraction || ORDER.indexOf(unit) <= before) return null
    before = ORDER.indexOf(unit)
    fraction = count.includes('.')
    sum += Number(count) * MILLIS[unit]
  }
  const millis = Math.round(sum * 1e6) / 1e6
  return Number.isInteger(millis) ? bounded(millis) : null
}

const bounded = (millis: number) => (millis <= LONGEST ? millis : null)

/** As the coordinator writes it: `1h 30m`. */
export function formatDuration(millis: number): string {
  return parts(millis, ['h', 'm', 's', 'ms'])
    .map(({ count, unit }) => `${count}${unit}`)
    .join(' ')
}

/** For words: days are days. */
export function durationParts(millis: number): SpanPart[] {
  return parts(millis, ORDER)
}

function parts(millis: number, units: SpanUnit[]): SpanPart[] {
  let rest = Math.max(0, Math.round(millis))
  const found: SpanPart[] = []
  for (const unit of units) {
    const count = Math.floor(rest / MILLIS[unit])
    rest -= count * MILLIS[unit]
    if (count > 0) found.push({ count, unit })
  }
  return found.length > 0 ? found : [{ count: 0, unit: 's' }]
}
