import type { Format } from '../i18n/format'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const STEPS = [
  MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  5 * DAY,
  7 * DAY,
  14 * DAY,
]

export interface Tick {
  /** Percent of the width. */
  at: number
  label: string
  /** Not on a phone. */
  minor: boolean
}

/** Where the hairlines of a time axis are: at round times of the zone, about seven of them. */
export function ticks(from: number, until: number, f: Format): Tick[] {
  const span = until - from
  const step = STEPS.find((one) => span / one <= 7.5) ?? 14 * DAY
  const zoneShift = shiftOf(from, f.zone())
  const list: Tick[] = []
  for (let at = Math.ceil((from + zoneShift) / step) * step - zoneShift; at < until; at += step) {
    const midnight = (at + zoneShift) % DAY === 0
    const label = step >= DAY ? f.day(at) : midnight ? f.weekday(at) : f.minute(at)
    list.push({
      at: ((at - from) / span) * 100,
      label,
      minor: list.length % 2 === 0 || (at - from) / span > 0.86,
    })
  }
  return list
}

/** Milliseconds that a zone is ahead of UTC. */
function shiftOf(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at)
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value ?? 0)
  const local = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
  return local - Math.floor(at / 1000) * 1000
}

/** A step line of values from 0 to 1 over a box. */
export function stepPath(values: readonly number[], width: number, height: number): string {
  if (values.length === 0) return ''
  const w = width / values.length
  let path = ''
  values.forEach((value, index) => {
    const y = Math.round((1 - value) * (height - 2)) + 2
    path += `${index === 0 ? `M0 ${y}` : `V${y}`}H${Math.round((index + 1) * w)}`
  })
  return path
}
