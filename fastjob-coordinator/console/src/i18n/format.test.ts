import { describe, expect, it } from 'vitest'
import { coarse, duration, formatter, offsetName, parseSpan, zoneOf } from './format'

const S = 1000
const M = 60 * S
const H = 60 * M

describe('durations', () => {
  it.each([
    [0, '0 ms'],
    [10, '10 ms'],
    [410, '410 ms'],
    [999.6, '1 s'],
    [3200, '3.2 s'],
    [9949, '9.9 s'],
    [9999, '10 s'],
    [41 * S, '41 s'],
    [59.6 * S, '1m'],
    [M, '1m'],
    [4 * M + 12 * S, '4m 12s'],
    [5 * M + S, '5m 01s'],
    [H, '1h'],
    [8 * H + 42 * M, '8h 42m'],
    [64 * H, '2d 16h'],
    [26 * 24 * H, '26d'],
    [-5, '0 ms'],
  ])('%d ms is %s', (ms, text) => expect(duration(ms)).toBe(text))

  it.each([
    [18 * S, '18 s'],
    [2 * M + 40 * S, '2m'],
    [7.9 * H, '7h'],
    [26 * 24 * H, '26d'],
  ])('%d ms ago is %s', (ms, text) => expect(coarse(ms)).toBe(text))

  it('are read as the API writes them', () => {
    expect(parseSpan('30s')).toBe(30 * S)
    expect(parseSpan('1h30m')).toBe(90 * M)
    expect(parseSpan('500ms')).toBe(500)
    expect(parseSpan('1.5h')).toBe(90 * M)
    expect(parseSpan('ten')).toBeNull()
    expect(parseSpan('')).toBeNull()
  })
})

describe('zones', () => {
  it('are named by their offset', () => {
    const winter = new Date('2026-11-27T00:00:00Z')
    expect(offsetName('Asia/Shanghai', winter)).toBe('UTC+8')
    expect(offsetName('UTC', winter)).toBe('UTC')
    expect(offsetName('America/St_Johns', winter)).toBe('UTC−3:30')
    expect(offsetName('Asia/Kolkata', winter)).toBe('UTC+5:30')
  })
  it('are the job’s own only if chosen', () => {
    expect(zoneOf('utc', 'Asia/Tokyo')).toBe('UTC')
    expect(zoneOf('job', 'Asia/Tokyo')).toBe('Asia/Tokyo')
    expect(zoneOf('job')).toBe('UTC')
  })
})

describe('numbers and times', () => {
  const f = formatter('en', 'utc')
  it('never rounds to all or to nothing', () => {
    expect(f.percent(0.99999)).toBe('99.9 %')
    expect(f.percent(1)).toBe('100 %')
    expect(f.percent(0.424)).toBe('42.4 %')
    expect(f.percent(0.9955, 2)).toBe('99.55 %')
  })
  it('groups numbers', () => expect(f.n(48210)).toBe('48,210'))
  it('shows the clock today, and a weekday near to it', () => {
    const now = Date.parse('2026-11-27T09:00:00Z')
    expect(f.near('2026-11-27T09:45:00Z', undefined, now)).toBe('09:45:00')
    expect(f.near('2026-11-28T02:30:00Z', undefined, now)).toBe('Sat 02:30')
    expect(f.near('2026-12-08T02:30:00Z', undefined, now)).toMatch(/8 Dec/)
  })
  it('shows the month of a day that is weeks away', () => {
    const now = Date.parse('2026-11-27T09:00:00Z')
    expect(f.fireDay('2026-12-01T09:45:00Z', undefined, now)).toBe('Tue 1')
    expect(f.fireDay('2026-12-31T02:30:00Z', undefined, now)).toMatch(/31 Dec/)
  })
  it('shows bytes', () => {
    expect(f.bytes(512)).toBe('512 B')
    expect(f.bytes(1.9 * 2 ** 30)).toBe('1.9 GiB')
  })
})
