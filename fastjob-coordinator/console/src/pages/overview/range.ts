const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const ranges = ['1h', '6h', '24h', '7d', '30d'] as const
export type RangeName = (typeof ranges)[number]

const sizes: Record<RangeName, readonly [length: number, step: number]> = {
  '1h': [HOUR, MINUTE],
  '6h': [6 * HOUR, 5 * MINUTE],
  '24h': [DAY, 15 * MINUTE],
  '7d': [7 * DAY, 2 * HOUR],
  '30d': [30 * DAY, 8 * HOUR],
}
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440].map((minutes) => minutes * MINUTE)

export interface Range {
  since: number
  until: number
  step: number
  /** It ends now and moves with the time. */
  moving: boolean
}

/** The range of the page: whole buckets, so that the address of a request changes only with the next bucket. */
export function rangeOf(
  search: { range?: RangeName; from?: string; until?: string },
  now: number = Date.now(),
): Range {
  const from = search.from === undefined ? Number.NaN : Date.parse(search.from)
  const to = search.until === undefined ? Number.NaN : Date.parse(search.until)
  if (to > from) {
    const fits = steps.find((one) => (to - from) / one <= 100) ?? DAY
    // The coordinator has whole hours only for more than 14 days.
    const step = to - from > 14 * DAY ? Math.max(HOUR, fits) : fits
    const since = Math.floor(from / step) * step
    return { since, until: Math.ceil(to / step) * step, step, moving: false }
  }
  const [length, step] = sizes[search.range ?? '24h']
  const until = (Math.floor(now / step) + 1) * step
  return { since: until - length, until, step, moving: true }
}

/** The range of the same length before. */
export const before = (range: Range): Range => ({
  ...range,
  since: 2 * range.since - range.until,
  until: range.since,
  moving: false,
})

/** `15m`, `2h` for the API. */
export const stepText = (step: number) => (step % HOUR === 0 ? `${step / HOUR}h` : `${step / MINUTE}m`)
