import { describe, expect, it } from 'vitest'
import { merge, scale } from './gantt'

const MINUTE = 60_000

describe('the time line of a task', () => {
  it('spreads attempts over the whole width', () => {
    const { x, folds } = scale([{ from: 1_000, to: 3_000 }])
    expect([x(1_000), x(2_000), x(3_000)]).toEqual([0, 50, 100])
    expect(folds).toEqual([])
  })

  it('folds long idle time between two attempts', () => {
    const { x, folds } = scale([
      { from: 0, to: MINUTE },
      { from: 60 * MINUTE, to: 61 * MINUTE },
    ])
    expect(folds).toHaveLength(1)
    expect(folds[0]).toMatchObject({ from: MINUTE, to: 60 * MINUTE, x: 47.5, width: 5 })
    expect(x(60 * MINUTE)).toBeCloseTo(52.5)
    expect(x(61 * MINUTE)).toBeCloseTo(100)
  })

  it('never runs backwards', () => {
    const { x } = scale([
      { from: 0, to: 10 },
      { from: 500, to: 600 },
      { from: 5_000, to: 5_100 },
    ])
    const places = Array.from({ length: 511 }, (_, i) => x(i * 10))
    for (let i = 1; i < places.length; i += 1) {
      expect(places[i]).toBeGreaterThanOrEqual(places[i - 1] ?? 0)
    }
  })

  it('has few ticks, also for attempts that are a year apart', () => {
    const year = 365 * 24 * 60 * MINUTE
    const { ticks } = scale([
      { from: 0, to: MINUTE },
      { from: year, to: year + MINUTE },
    ])
    expect(ticks.length).toBeLessThan(12)
  })

  it('of a task without attempts is empty', () => {
    expect(scale([]).ticks).toEqual([])
  })

  it('counts shards that run side by side once', () => {
    expect(
      merge([
        { from: 5, to: 9 },
        { from: 0, to: 6 },
        { from: 20, to: 30 },
      ]),
    ).toEqual([
      { from: 0, to: 9 },
      { from: 20, to: 30 },
    ])
  })
})
