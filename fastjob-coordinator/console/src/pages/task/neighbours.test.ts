import { expect, test } from 'vitest'
import { behind } from './neighbours'

const at = (id: number, second: number) => ({
  id,
  created_at: new Date(Date.UTC(2026, 10, 30, 9, 0, second)).toISOString(),
})

test('the next task is the one behind the present one, also of those of the same instant', () => {
  const list = [at(9, 5), at(8, 5), at(7, 4)]
  expect(behind(list, at(9, 5), true)?.id).toBe(8)
  expect(behind(list, at(8, 5), true)?.id).toBe(7)
  expect(behind(list, at(7, 4), true)).toBeUndefined()
})

test('a task that is not listed any more still has a place', () => {
  expect(behind([at(9, 5), at(7, 4)], at(8, 5), true)?.id).toBe(7)
  expect(behind([at(8, 5), at(10, 6)], at(9, 5), false)?.id).toBe(10)
})
