import { expect, test } from 'vitest'
import { dayWords, hourWords, isExcluded, parseDay, parseHours } from './calendar'
import { changesClocks, findZones, offsetAt, toInstant, toLocal, wallAt, zones } from './zone'

const at = (instant: string, zone = 'UTC') => wallAt(Date.parse(instant), zone)

test('days and hours are excluded as the wall clock shows them', () => {
  expect(isExcluded(at('2026-12-25T12:00:00Z'), ['12-25'], [])).toBe(true)
  expect(isExcluded(at('2026-12-25T20:00:00Z', 'Asia/Shanghai'), ['12-25'], [])).toBe(false)
  expect(isExcluded(at('2027-01-01T00:00:00Z'), ['12-24..01-02'], [])).toBe(true)
  expect(isExcluded(at('2026-12-25T12:00:00Z'), ['2026-12-24..2026-12-26'], [])).toBe(true)
  expect(isExcluded(at('2026-11-29T12:00:00Z'), ['sat..sun'], [])).toBe(true)
  expect(isExcluded(at('2026-11-30T12:00:00Z'), ['Sat..SUNDAY'], [])).toBe(false)
  expect(isExcluded(at('2026-11-30T23:00:00Z'), [], ['22-6'])).toBe(true)
  expect(isExcluded(at('2026-11-30T06:00:00Z'), [], ['22-6'])).toBe(false)
  expect(isExcluded(at('2026-11-30T13:29:59Z'), [], ['12-13:30'])).toBe(true)
})

test.each(['2026-02-30', '13-01', 'xmas', '2026-12-26..2026-12-24', '12-24..sat', '1969-01-01', '1-1', ''])(
  '%j is not a day',
  (text) => expect(parseDay(text)).toBeNull(),
)

test.each(['25-6', '6-6', '6', '6-7-8', '6:5-7', '24-6', ''])('%j is not a span of hours', (text) =>
  expect(parseHours(text)).toBeNull(),
)

test('entries are said in words', () => {
  expect(dayWords('12-25', 'en')).toBe('25 Dec')
  expect(dayWords('12-25', 'zh')).toBe('12月25日')
  expect(dayWords('sat', 'en')).toBe('Saturdays')
  expect(dayWords('sat..sun', 'en')).toBe('Sat to Sun')
  expect(dayWords('sat', 'zh')).toBe('每周六')
  expect(dayWords('wrong', 'en')).toBe('wrong')
  expect(hourWords('22-6')).toBe('22:00–06:00')
  expect(hourWords('12-13:30')).toBe('12:00–13:30')
})

test('a wall clock and an instant are each other, also where the clocks change', () => {
  expect(toInstant('2026-12-01T08:00', 'Asia/Shanghai')).toBe('2026-12-01T00:00:00Z')
  expect(toLocal('2026-12-01T00:00:00Z', 'Asia/Shanghai')).toBe('2026-12-01T08:00:00')
  // Twice: the first. Never: after the gap.
  expect(toInstant('2026-10-25T02:30', 'Europe/Berlin')).toBe('2026-10-25T00:30:00Z')
  expect(toInstant('2026-03-29T02:30', 'Europe/Berlin')).toBe('2026-03-29T01:30:00Z')
  expect(toInstant('tomorrow', 'UTC')).toBeNull()
  expect(toLocal('tomorrow', 'UTC')).toBe('')
  expect(offsetAt(Date.parse('2026-12-01T00:00:00.5Z'), 'Asia/Kolkata')).toBe(5.5 * 3_600_000)
  expect(changesClocks('Europe/Berlin', Date.parse('2026-12-01T00:00:00Z'))).toBe(true)
  expect(changesClocks('Asia/Shanghai', Date.parse('2026-12-01T00:00:00Z'))).toBe(false)
})

test('zones are found by city, by region and in Chinese', () => {
  const all = zones(['Asia/Shanghai'])
  expect(all[0]).toBe('UTC')
  expect(findZones(all, 'shang')).toContain('Asia/Shanghai')
  expect(findZones(all, '上海')).toContain('Asia/Shanghai')
  expect(findZones(all, 'new york')).toContain('America/New_York')
  expect(findZones(all, 'nowhere')).toEqual([])
})
