import { describe, expect, it } from 'vitest'
import { plain, runs } from './ansi'
import { LogBuffer } from './buffer'
import { LogFilter } from './filter'
import { parseLine, passes } from './lines'
import { matcher } from './search'

describe('lines of a log', () => {
  it('have the instant, the level and the text of their entry', () => {
    const line = parseLine(1, '2026-11-23T08:00:00.123Z WARN billing::mail: slow', null)
    expect(line).toEqual({
      no: 1,
      at: Date.parse('2026-11-23T08:00:00.123Z'),
      level: 'warn',
      text: 'billing::mail: slow',
    })
  })

  it('continue an entry with its level and without an instant', () => {
    const line = parseLine(2, '  at main.rs:3', 'error')
    expect(line).toEqual({ no: 2, at: null, level: 'error', text: '  at main.rs:3' })
    expect(passes(line, 'error')).toBe(true)
  })

  it('without a level are shown unless only warnings are wanted', () => {
    const line = parseLine(1, '2026-11-23T08:00:00.123Z hello', 'error')
    expect(line.level).toBeNull()
    expect(passes(line, 'info')).toBe(true)
    expect(passes(line, 'warn')).toBe(false)
  })
})

describe('the buffer of a log', () => {
  it('joins a line that two pieces cut', () => {
    const buffer = new LogBuffer()
    buffer.append('one\ntw')
    expect(buffer.length).toBe(2)
    buffer.append('o\nthree\n')
    expect([0, 1, 2].map((i) => buffer.line(i).text)).toEqual(['one', 'two', 'three'])
    expect(buffer.length).toBe(3)
  })

  it('drops the oldest lines at its bound, and keeps the numbers of the others', () => {
    const buffer = new LogBuffer({ lines: 100, characters: 1_000_000 })
    buffer.append(Array.from({ length: 250 }, (_, i) => `line ${i + 1}\n`).join(''))
    expect(buffer.length).toBe(100)
    expect(buffer.missing).toBe(150)
    expect(buffer.line(0)).toMatchObject({ no: 151, text: 'line 151' })
  })

  it('is bounded by characters too', () => {
    const buffer = new LogBuffer({ lines: 1_000, characters: 1_000 })
    for (let i = 0; i < 50; i += 1) buffer.append(`${'x'.repeat(99)}\n`)
    expect(buffer.length).toBeLessThanOrEqual(11)
  })
})

describe('escape sequences', () => {
  it('become classes, and never markup', () => {
    expect(runs('\u001b[1;31merror\u001b[0m <b>x</b>')).toEqual([
      { text: 'error', className: 'ansi-red ansi-bold' },
      { text: ' <b>x</b>', className: '' },
    ])
  })

  it('that do not select a colour are removed', () => {
    expect(plain('\u001b]8;;http://x\u0007link\u001b[2K\u001b[38;5;196mred')).toBe('linkred')
  })

  it('of other control characters are shown as symbols', () => {
    expect(plain('a\u0007b\u202ec')).toBe('a\u2407b\ufffdc')
  })
})

describe('search in a log', () => {
  it('finds text in upper and lower case', () => {
    const find = matcher('Trailer', false)
    expect(typeof find === 'function' && find('the trailer, TRAILER')).toEqual([
      { from: 4, to: 11 },
      { from: 13, to: 20 },
    ])
  })

  it('takes brackets as text unless it is a regular expression', () => {
    const find = matcher('a[0', false)
    expect(typeof find === 'function' && find('x a[0]')).toEqual([{ from: 2, to: 5 }])
    expect(matcher('a[0', true)).toHaveProperty('invalid')
  })

  it('ends with an expression that matches nothing everywhere', () => {
    const find = matcher('x*', true)
    expect(typeof find === 'function' && find('axxb')).toEqual([{ from: 1, to: 3 }])
  })
})

describe('the filter of a log', () => {
  const find = matcher('match', false)
  const matches = typeof find === 'function' ? find : null

  it('counts the matches of a search and shows all lines', () => {
    const buffer = new LogBuffer()
    const filter = new LogFilter(buffer, 'all', matches, false)
    buffer.append('a match\nnothing\nanother match\nmatch without an en')
    filter.update()
    expect(filter.matches).toEqual([1, 3])
    expect(filter.length).toBe(4)
    buffer.append('d\n')
    filter.update()
    expect(filter.matches).toEqual([1, 3, 4])
  })

  it('shows only the lines of a level with their own numbers', () => {
    const buffer = new LogBuffer()
    const filter = new LogFilter(buffer, 'error', null, false)
    buffer.append('2026-11-23T08:00:00.123Z INFO a: x\n2026-11-23T08:00:00.123Z ERROR a: y\n  more\n')
    filter.update()
    expect([filter.length, filter.at(0), filter.at(1)]).toEqual([2, 2, 3])
    expect(filter.placeOf(2)).toBe(0)
    expect(filter.placeOf(1)).toBe(0)
  })

  it('forgets lines that the buffer has dropped', () => {
    const buffer = new LogBuffer({ lines: 10, characters: 10_000 })
    const filter = new LogFilter(buffer, 'all', matches, true)
    for (let i = 0; i < 100; i += 1) {
      buffer.append(`match ${i}\n`)
      filter.update()
    }
    expect(filter.at(0)).toBeGreaterThan(buffer.missing)
    expect(filter.length).toBe(buffer.complete)
  })
})
