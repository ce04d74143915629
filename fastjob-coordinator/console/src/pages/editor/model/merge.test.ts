import { expect, test } from 'vitest'
import type { JobDraft } from '../../../api/types'
import { differences, isSame, merged, proposal } from './merge'

const base: JobDraft = {
  name: 'a',
  timeout: '5m',
  retry: { count: 1 },
  labels: { team: 'x' },
  misfire: 'fire_once',
}
const mine: JobDraft = {
  name: 'a',
  timeout: '10m',
  retry: { count: 2 },
  labels: { team: 'x' },
  misfire: 'fire_once',
}
const theirs: JobDraft = {
  name: 'a',
  timeout: '5m',
  retry: { count: 3 },
  labels: { team: 'y' },
  description: 'new',
}

test('each difference says who changed the field', () => {
  const by = Object.fromEntries(
    differences(base, mine, theirs).map(({ field, changedBy }) => [field, changedBy]),
  )
  expect(by).toEqual({
    timeout: 'mine',
    retry: 'both',
    labels: 'theirs',
    description: 'theirs',
    misfire: 'theirs',
  })
})

test('the proposal keeps the changes of both, and mine where they meet', () => {
  const found = differences(base, mine, theirs)
  expect(merged(mine, found, proposal(found))).toEqual({
    name: 'a',
    timeout: '10m',
    retry: { count: 2 },
    labels: { team: 'y' },
    description: 'new',
  })
  const all = (side: 'mine' | 'theirs') => Object.fromEntries(found.map(({ field }) => [field, side]))
  expect(merged(mine, found, all('theirs'))).toEqual(theirs)
  expect(merged(mine, found, all('mine'))).toEqual(mine)
})

test('the order of keys makes no difference', () => {
  expect(isSame({ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 })).toBe(true)
  expect(isSame({ a: 1 }, { a: 1, b: undefined as never })).toBe(true)
  expect(isSame([1], [1, 2])).toBe(false)
})
