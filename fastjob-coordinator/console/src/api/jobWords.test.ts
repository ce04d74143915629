import { describe, expect, it } from 'vitest'
import { choicesOf, filterOf, mayBeName, score, textOfJob, wordsOf } from './jobWords'
import type { JobView } from './types'

describe('what the coordinator is asked for', () => {
  const services = ['mail', 'mail.eu', 'billing']
  it('is one text, the longest word', () => {
    expect(filterOf('daily invoice', services)).toEqual({ text: 'invoice' })
    expect(filterOf('', services)).toEqual({})
  })
  it('is a service, where a word names one', () => {
    expect(filterOf('billing', services)).toEqual({ service: 'billing' })
    expect(filterOf('invoice Billing', services)).toEqual({ service: 'billing', text: 'invoice' })
  })
  it('is a service and the rest of a name', () => {
    expect(filterOf('billing.inv', services)).toEqual({ service: 'billing', text: 'inv' })
    expect(filterOf('billing.', services)).toEqual({ service: 'billing' })
    expect(filterOf('unknown.inv', services)).toEqual({ text: 'unknown.inv' })
  })
  it('is a name only if it can be one', () => {
    expect(mayBeName('billing.Invoice-7')).toBe(true)
    for (const text of ['a', '4711', '#12', 'two words', 'a/b']) expect(mayBeName(text), text).toBe(false)
  })
  it('is each of the jobs that have a name in several services', () => {
    expect(choicesOf('several services have a job named run: use a.run or b.run')).toEqual(['a.run', 'b.run'])
    expect(choicesOf('no job is named `run`')).toEqual([])
  })
})

describe('a job', () => {
  const job = { name: 'invoice-run', service: 'billing', handler: 'pdf' } as JobView
  it('is found by words in any order, and by its name with its service', () => {
    const scored = (text: string) => score(textOfJob(job), wordsOf(text))
    expect(scored('billing invoice')).toBeGreaterThan(0)
    expect(scored('billing.invoice-run')).toBeGreaterThan(0)
    expect(scored('PDF')).toBeGreaterThan(0)
    expect(scored('billing mail')).toBe(-1)
  })
})
