import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseCron } from './parse'
import type { FieldName } from './types'

function fields(text: string) {
  const parsed = parseCron(text)
  if (!parsed.ok) throw new Error(`${text}: ${JSON.stringify(parsed.error)}`)
  return parsed.cron
}

const values = (text: string, name: FieldName) => fields(text).fields[name].values

describe('an expression', () => {
  test('has five fields as in Unix or six or seven as in Quartz', () => {
    expect(fields('*/5 * * * *').dialect).toBe('unix')
    expect(fields('0 */5 * * * ?').dialect).toBe('quartz')
    expect(fields('0 0 0 1 1 ? 2027-2029').fields.year.values).toEqual([2027, 2028, 2029])
    expect(fields('@daily').fields.hour.values).toEqual([0])
  })

  test('counts weekdays from Sunday in both dialects', () => {
    expect(values('0 0 2 ? * MON-FRI', 'weekday')).toEqual([1, 2, 3, 4, 5])
    expect(values('0 0 2 ? * 2-6', 'weekday')).toEqual([1, 2, 3, 4, 5])
    expect(values('0 2 * * 1-5', 'weekday')).toEqual([1, 2, 3, 4, 5])
    expect(values('0 2 * * 7', 'weekday')).toEqual([0])
    expect(values('0 0 0 ? * FRI-MON', 'weekday')).toEqual([0, 1, 5, 6])
    expect(values('0 0 0 ? * L', 'weekday')).toEqual([6])
  })

  test('has steps, ranges that wrap, lists and the symbols of Quartz', () => {
    expect(values('0 10/20 * * * ?', 'minute')).toEqual([10, 30, 50])
    expect(values('0 0 22-2 * * ?', 'hour')).toEqual([0, 1, 2, 22, 23])
    expect(values('0 /15 * * * ?', 'minute')).toEqual([0, 15, 30, 45])
    expect(fields('0 0 0 L-3W * ?').fields.day.items).toEqual([{ kind: 'last', back: 3, workday: true }])
    expect(fields('0 0 0 15W * ?').fields.day.items).toEqual([{ kind: 'near', day: 15 }])
    expect(fields('0 0 0 ? * FRIL').fields.weekday.items).toEqual([{ kind: 'lastOf', weekday: 5 }])
    expect(fields('0 0 0 ? * 6#3').fields.weekday.items).toEqual([{ kind: 'nth', weekday: 5, nth: 3 }])
  })

  test('of Unix matches either day field unless one starts with a star', () => {
    expect(fields('0 0 1 * 1').either).toBe(true)
    expect(fields('0 0 */2 * 1').either).toBe(false)
  })
})

describe('an error', () => {
  const check = (text: string, wrong: string, kind: string) => {
    const parsed = parseCron(text)
    if (parsed.ok) throw new Error(`${text} was accepted`)
    const { from, to, problem } = parsed.error
    expect([text.slice(from, to), problem.kind], text).toEqual([wrong, kind])
  }

  test('points at the characters, as that of the coordinator does', () => {
    check('0 0 25 * * ?', '25', 'range')
    check('0 0 0 ? * 0', '0', 'range')
    check('0 0 0 1 * MON', 'MON', 'bothDays')
    check('0 0 0 ? * ?', '?', 'noDays')
    check('0 0 0 ? * MON#6', '#6', 'nth')
    check('0 0 0 L-31 * ?', 'L-31', 'beforeLast')
    check('0 0 0 ?,5 * ?', '?', 'notAlone')
    check('0 0 ? * * ?', '?', 'notHere')
    check('0 0 0 ? * 5W', 'W', 'notHere')
    check('0 0 0 15L * ?', 'L', 'unexpected')
    check('0 0 0 ? * L-3', '-', 'unexpected')
    check('0 0 0 ? * LW', 'L', 'unexpected')
    check('0 0 0 ? FOO *', 'FOO', 'word')
    check('0 0 0 ? * MONDAY', 'MONDAY', 'word')
    check('0 */60 * * * ?', '60', 'step')
    check('0 1, * * * ?', '', 'missing')
    check('0 1-2-3 * * * ?', '-', 'unexpected')
    check('0 0 0 1 1 ? 2028-2026', '2028-2026', 'backwards')
    check('0 0 L * *', 'L', 'onlyQuartz')
    check('/5 * * * *', '', 'missing')
    check('', '', 'empty')
    check('* * * *', '', 'count')
    check('0 0 0 * * ? * x y ', 'x y', 'count')
    check(' @reboot', '@reboot', 'reboot')
    check('@fortnightly', '@fortnightly', 'unknownShort')
  })

  test('of a long text is found at once', () => {
    const parsed = parseCron(`0 0 0 ${'1,'.repeat(500_000)} * ?`)
    expect(!parsed.ok && parsed.error.problem.kind).toBe('tooLong')
  })
})

test('every expression of the errors that the coordinator tests is rejected here, too', () => {
  const rust = readFileSync('../../fastjob-core/src/schedule/cron/tests/errors.rs', 'utf8')
  const texts = [...rust.matchAll(/check\("((?:[^"\\])*)", "/g)].map((match) => match[1] as string)
  expect(texts.length).toBeGreaterThan(40)
  for (const text of texts) expect(parseCron(text).ok, text).toBe(false)
})

test('the expressions that Quartz accepts and rejects are accepted and rejected here, too', () => {
  const rows = readFileSync('../../fastjob-core/tests/data/quartz-next-fire.tsv', 'utf8').split('\n')
  const told = new Map(
    rows
      .filter((row) => row && !row.startsWith('#'))
      .map((row) => {
        const [text = '', ...rest] = row.split('\t')
        return [text, !rest.includes('INVALID')] as const
      }),
  )
  expect(told.size).toBeGreaterThan(40)
  for (const [text, valid] of told) expect(parseCron(text).ok, text).toBe(valid)
})
