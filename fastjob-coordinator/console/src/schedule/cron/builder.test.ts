import { expect, test } from 'vitest'
import { fieldTexts, modeOf, presetOf, presetText, toQuartz, withMode } from './builder'
import { parseCron } from './parse'
import type { FieldName } from './types'

function mode(text: string, field: FieldName) {
  const parsed = parseCron(text)
  return parsed.ok ? modeOf(parsed.cron.fields[field]) : null
}

test('each field is one of the kinds of its tab', () => {
  expect(mode('0 0 2 ? * MON-FRI', 'weekday')).toEqual({ kind: 'list', values: [1, 2, 3, 4, 5] })
  expect(mode('0 0 2 ? * MON-FRI', 'day')).toEqual({ kind: 'every' })
  expect(mode('0 5/10 9-17 * * ?', 'minute')).toEqual({ kind: 'step', from: 5, step: 10 })
  expect(mode('0 5/10 9-17 * * ?', 'hour')).toEqual({ kind: 'range', from: 9, to: 17 })
  expect(mode('0 0 0 L-2W * ?', 'day')).toEqual({ kind: 'last', back: 2, workday: true })
  expect(mode('0 0 0 ? * 6#3', 'weekday')).toEqual({ kind: 'nth', weekday: 5, nth: 3 })
  expect(mode('0 0 0 L,15 * ?', 'day')).toEqual({ kind: 'text', text: 'L,15' })
})

test('an edit of one field keeps the others, and Quartz gets its question mark', () => {
  expect(withMode('0 0 2 * * ?', 'weekday', { kind: 'list', values: [1, 2, 3, 4, 5] })).toBe(
    '0 0 2 ? * MON-FRI',
  )
  expect(withMode('0 0 2 ? * MON-FRI', 'weekday', { kind: 'every' })).toBe('0 0 2 * * ?')
  expect(withMode('0 0 2 ? * MON-FRI', 'day', { kind: 'list', values: [1, 15] })).toBe('0 0 2 1,15 * ?')
  expect(withMode('0 0 2 ? * MON-FRI', 'day', { kind: 'every' })).toBe('0 0 2 ? * MON-FRI')
  expect(withMode('0 0 2 * * ?', 'weekday', { kind: 'list', values: [0, 6] })).toBe('0 0 2 ? * SAT,SUN')
  expect(withMode('0 0 2 * * ?', 'day', { kind: 'last', back: 0, workday: true })).toBe('0 0 2 LW * ?')
  expect(withMode('0 0 2 * * ?', 'weekday', { kind: 'lastOf', weekday: 5 })).toBe('0 0 2 ? * FRIL')
  expect(withMode('0 0 2 * * ? 2027', 'year', { kind: 'every' })).toBe('0 0 2 * * ?')
  expect(withMode('0 0 2 * * ?', 'year', { kind: 'list', values: [2027, 2028] })).toBe(
    '0 0 2 * * ? 2027,2028',
  )
})

test('Unix stays Unix', () => {
  expect(withMode('0 2 * * *', 'minute', { kind: 'step', from: 0, step: 10 })).toBe('*/10 2 * * *')
  expect(withMode('0 2 * * *', 'minute', { kind: 'step', from: 5, step: 10 })).toBe('5-59/10 2 * * *')
  expect(withMode('@daily', 'weekday', { kind: 'list', values: [1] })).toBe('0 0 * * MON')
  expect(withMode('0 2 1 * *', 'weekday', { kind: 'list', values: [1] })).toBe('0 2 1 * MON')
})

test('an expression with an error can be built upon, and nothing becomes something', () => {
  expect(withMode('0 0 25 * * ?', 'hour', { kind: 'list', values: [2] })).toBe('0 0 2 * * ?')
  expect(fieldTexts('').texts).toHaveLength(6)
  expect(withMode('', 'hour', { kind: 'list', values: [5] })).toBe('0 0 5 * * ?')
})

test('what the builder makes is read back as the same', () => {
  for (const [field, kind] of [
    ['minute', { kind: 'step', from: 3, step: 7 }],
    ['hour', { kind: 'range', from: 22, to: 4 }],
    ['day', { kind: 'near', day: 15 }],
    ['weekday', { kind: 'nth', weekday: 0, nth: 5 }],
    ['month', { kind: 'list', values: [1, 2, 3, 7] }],
  ] as const) {
    const text = withMode('0 0 2 * * ?', field, kind as never)
    expect(mode(text, field), text).toEqual(kind)
  }
})

test('presets keep the time of day', () => {
  expect(presetText('weekdays', '0 30 4 * * ?')).toBe('0 30 4 ? * MON-FRI')
  expect(presetText('daily', 'nonsense')).toBe('0 0 2 * * ?')
  expect(presetOf('0 30 4 ? * MON-FRI')).toBe('weekdays')
  expect(presetOf('30 4 * * 1-5')).toBe('weekdays')
  expect(presetOf('0 30 4 1,2 * ?')).toBeNull()
})

test('Unix is written as Quartz where that is possible', () => {
  const quartz = (text: string) => {
    const parsed = parseCron(text)
    return parsed.ok ? toQuartz(parsed.cron) : null
  }
  expect(quartz('0 2 * * 1-5')).toBe('0 0 2 ? * MON-FRI')
  expect(quartz('0 2 1 * *')).toBe('0 0 2 1 * ?')
  expect(quartz('0 2 1 * 1')).toBeNull()
})
