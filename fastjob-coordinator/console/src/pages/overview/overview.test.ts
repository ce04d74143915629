import { describe, expect, it } from 'vitest'
import { lanesOf } from './fires'
import { before, rangeOf, stepText } from './range'

const at = (text: string) => Date.parse(text)

describe('ranges', () => {
  const now = at('2026-11-27T09:41:07Z')
  it('end with the present bucket', () => {
    const range = rangeOf({}, now)
    expect(new Date(range.until).toISOString()).toBe('2026-11-27T09:45:00.000Z')
    expect(range.until - range.since).toBe(24 * 3_600_000)
    expect(stepText(range.step)).toBe('15m')
  })
  it('have at most 100 buckets', () => {
    for (const range of ['1h', '6h', '24h', '7d', '30d'] as const) {
      const { since, until, step } = rangeOf({ range }, now)
      expect((until - since) / step).toBeLessThanOrEqual(100)
    }
  })
  it('can be drawn', () => {
    const range = rangeOf({ from: '2026-11-27T02:15:00Z', until: '2026-11-27T03:15:00Z' }, now)
    expect(stepText(range.step)).toBe('1m')
    expect(range.moving).toBe(false)
    expect(before(range).until).toBe(range.since)
  })
  it('ignore one that ends before it begins', () => {
    expect(rangeOf({ from: '2026-11-27T03:15:00Z', until: '2026-11-27T02:15:00Z' }, now).moving).toBe(true)
  })
})

describe('lanes', () => {
  const from = at('2026-11-27T09:00:00Z')
  const until = from + 3_600_000
  const fires = (job: string, every: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      at: new Date(from + (index + 1) * every).toISOString(),
      job,
      service: 's',
    }))
  it('say how often a job fires, frequent ones first', () => {
    const lanes = lanesOf([...fires('hourly', 1_800_000, 1), ...fires('minutely', 60_000, 59)], from, until)
    expect(lanes.map((lane) => lane.job)).toEqual(['minutely', 'hourly'])
    expect(lanes[0]?.every).toBe(60_000)
    expect(lanes[1]?.at).toEqual([50])
  })
})
