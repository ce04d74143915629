import { describe, expect, it } from 'vitest'
import { filterOf, instantOf } from './filter'
import { validateTasks } from './search'

const NOW = Date.parse('2026-11-30T09:41:27.500Z')

describe('the filter of the list of tasks', () => {
  it('reads how long ago in whole minutes', () => {
    expect(instantOf('24h', NOW)).toBe('2026-11-29T09:41:00.000Z')
  })

  it('reads an instant, and leaves out what is none', () => {
    expect(instantOf('2026-11-01T00:00:00Z', NOW)).toBe('2026-11-01T00:00:00.000Z')
    expect(instantOf('soon', NOW)).toBeUndefined()
  })

  it('has the names of REST', () => {
    const search = validateTasks({ state: 'failed,stopped', error: '502', longer: '5m', job: 'billing.mail' })
    expect(filterOf(search, undefined, NOW)).toEqual({
      state: ['failed', 'stopped'],
      text: '502',
      min_run_time: '5m',
      job: 'billing.mail',
    })
  })
})
