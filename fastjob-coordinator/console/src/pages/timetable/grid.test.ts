import { describe, expect, it } from 'vitest'
import { gridOf, heat } from './grid'

const HOUR = 3_600_000
const FROM = Date.parse('2026-11-30T00:00:00Z')
const fire = (at: string, job: string) => ({ at, job, service: 'billing' })

describe('the timetable', () => {
  it('counts fires by job and hour', () => {
    const grid = gridOf(
      [
        fire('2026-11-30T02:00:00Z', 'report'),
        fire('2026-11-30T02:30:00Z', 'report'),
        fire('2026-11-30T03:00:00Z', 'mail'),
      ],
      FROM,
      HOUR,
      24,
    )
    expect(grid.rows.map((row) => [row.job, row.total])).toEqual([
      ['mail', 1],
      ['report', 2],
    ])
    expect(grid.rows[1]?.cells[2]).toBe(2)
    expect(grid.all[2]).toBe(2)
    expect(grid.most).toBe(2)
  })

  it('leaves out what is outside of the range', () => {
    expect(gridOf([fire('2026-12-01T00:00:00Z', 'report')], FROM, HOUR, 24).rows).toEqual([])
  })

  it('shows one fire beside many', () => {
    expect(heat(0, 100)).toBe(0)
    expect(heat(1, 100)).toBe(1)
    expect(heat(100, 100)).toBe(4)
  })
})
