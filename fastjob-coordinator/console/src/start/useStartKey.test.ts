import { describe, expect, it } from 'vitest'
import { newKey } from './useStartKey'

describe('the key of a start', () => {
  it('is another one each time, and short enough for the coordinator', () => {
    const keys = new Set(Array.from({ length: 100 }, newKey))
    expect(keys.size).toBe(100)
    for (const key of keys) expect(key).toMatch(/^console-[0-9a-f]{32}$/)
  })
})
