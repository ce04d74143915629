/**
 * The time line of a task: one row per shard, one bar per attempt. Time in which no attempt ran is
 * folded if it is long, so that a retry after an hour does not leave two lines of a pixel.
 */

export interface Span {
  readonly from: number
  readonly to: number
}

export interface Fold extends Span {
  /** Where it is drawn, in percent of the width. */
  readonly x: number
  readonly width: number
}

export interface Tick {
  readonly at: number
  readonly x: number
}

export interface Scale {
  /** The place of an instant, in percent of the width. */
  readonly x: (at: number) => number
  readonly folds: Fold[]
  readonly ticks: Tick[]
}

/** The width of a fold, in percent. */
const FOLD = 5
const FOLDS = 4

const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
  600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 86_400_000,
]

/** Intervals without overlaps, in order. */
export function merge(spans: readonly Span[]): Span[] {
  const merged: Span[] = []
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = merged[merged.length - 1]
    if (last && span.from <= last.to) {
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
    } else {
      merged.push(span)
    }
  }
  return merged
}

/** The scale on which the attempts of a task are drawn. */
export function scale(spans: readonly Span[]): Scale {
  const busy = merge(spans)
  const first = busy[0]
  const last = busy[busy.length - 1]
  if (!first || !last) {
    return { x: () => 0, folds: [], ticks: [] }
  }
  const from = first.from
  const to = Math.max(last.to, from + 1)
  const total = to - from
  const running = busy.reduce((sum, span) => sum + (span.to - span.from), 0)
  const idle = busy
    .slice(1)
    .map((span, i) => ({ from: busy[i]?.to ?? span.from, to: span.from }))
    .filter((gap) => gap.to - gap.from > Math.max(total * 0.2, running * 0.5))
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, FOLDS)
    .sort((a, b) => a.from - b.from)
  const folded = idle.reduce((sum, gap) => sum + (gap.to - gap.from), 0)
  const perMs = (100 - FOLD * idle.length) / Math.max(total - folded, 1)
  const x = (at: number): number => {
    const clamped = Math.min(Math.max(at, from), to)
    let place = (clamped - from) * perMs
    for (const gap of idle) {
      if (clamped >= gap.to) {
        place += FOLD - (gap.to - gap.from) * perMs
      } else if (clamped > gap.from) {
        const share = (clamped - gap.from) / (gap.to - gap.from)
        place += share * FOLD - (clamped - gap.from) * perMs
      }
    }
    return place
  }
  const folds = idle.map((gap) => ({ ...gap, x: x(gap.from), width: FOLD }))
  return { x, folds, ticks: ticks(from, to, (total - folded) / 5, x, folds) }
}

function ticks(
  from: number,
  to: number,
  wanted: number,
  x: (at: number) => number,
  folds: readonly Fold[],
): Tick[] {
  const step = STEPS.find((each) => each >= wanted) ?? 86_400_000 * Math.ceil(wanted / 86_400_000)
  const found: Tick[] = [{ at: from, x: 0 }]
  const inFold = (at: number) => folds.some((fold) => at > fold.from && at < fold.to)
  // Ticks of a folded year would be thousands: jump over folds.
  let at = Math.ceil(from / step) * step
  while (at < to && found.length < 40) {
    const fold = folds.find((each) => at > each.from && at < each.to)
    if (fold) {
      at = Math.ceil(fold.to / step) * step
      continue
    }
    const place = x(at)
    const before = found[found.length - 1]
    if (!inFold(at) && place < 97 && (!before || place - before.x > (before.x === 0 ? 13 : 8))) {
      found.push({ at, x: place })
    }
    at += step
  }
  return found
}
