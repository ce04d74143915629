import { expect, test } from 'vitest'
import { emptyStart, rerunRequest, startRequest, whenProblem } from './request'

const form = emptyStart('Asia/Shanghai')
const own = '{\n  "month": "2026-11"\n}'

test('a start sends the param only if it is another one', () => {
  expect(startRequest(form, own, '{"month":"2026-11"}')).toEqual({})
  expect(startRequest(form, '{ "month": "2026-12" }', own)).toEqual({ param: '{"month":"2026-12"}' })
  // An empty param replaces the job's own.
  expect(startRequest(form, ' ', own)).toEqual({ param: '' })
  expect(startRequest(form, 'plain text', '')).toEqual({ param: 'plain text' })
})

test('a start can be planned, on an executor, with a key', () => {
  const at = { ...form, when: 'at' as const, at: '2026-12-01T08:00', executor: 'billing-1', key: ' k ' }
  expect(startRequest(at, '', '')).toEqual({ at: '2026-12-01T00:00:00Z', executor: 'billing-1', key: 'k' })
  expect(startRequest({ ...form, when: 'delay', delay: ' 10m ' }, '', '')).toEqual({ delay: '10m' })
  expect(whenProblem({ ...form, when: 'delay', delay: 'soon' })).toBe('wrongDelay')
  expect(whenProblem({ ...form, when: 'at', at: '' })).toBe('wrongAt')
  expect(whenProblem(form)).toBeNull()
})

test('a rerun keeps the param of the task, and failed shards keep their executors', () => {
  expect(rerunRequest({ ...form, failedOnly: true, executor: 'e' }, own, own)).toEqual({ shards: 'failed' })
  expect(rerunRequest({ ...form, again: true, key: 'k' }, 'x', own)).toEqual({ param: 'x', again: true })
})
