import type { FireView } from '../../api/types'

export interface Lane {
  job: string
  service: string
  /** Where it fires, in percent of the range. */
  at: number[]
  first: number
  times: number[]
  /** Milliseconds between fires, if they are all alike. */
  every: number | null
  /** It fires on to the end of the range, more often than is listed. */
  more: boolean
}

/** The fires of the next hour, one lane per job: those that fire most often first, then by their next fire. */
export function lanesOf(items: readonly FireView[], from: number, until: number): Lane[] {
  const byJob = new Map<string, Lane>()
  for (const fire of items) {
    const time = Date.parse(fire.at)
    if (time < from || time >= until) continue
    const key = `${fire.service}.${fire.job}`
    let lane = byJob.get(key)
    if (!lane) {
      lane = {
        job: fire.job,
        service: fire.service,
        at: [],
        first: time,
        every: null,
        more: false,
        times: [],
      }
      byJob.set(key, lane)
    }
    lane.at.push(((time - from) / (until - from)) * 100)
    lane.times.push(time)
    lane.more ||= fire.more === true
  }
  const often = (lane: Lane) => (lane.every !== null && lane.at.length > 12 ? lane.at.length : 0)
  return [...byJob.values()]
    .map((lane) => {
      const { times } = lane
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      const gap = gaps[0]
      const even = gap !== undefined && gaps.length > 2 && gaps.every((one) => Math.abs(one - gap) < 1000)
      return { ...lane, every: even ? gap : null }
    })
    .sort((a, b) => often(b) - often(a) || a.first - b.first)
}
