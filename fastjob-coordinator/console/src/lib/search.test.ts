import { describe, expect, it } from 'vitest'
import { compact, flag, list, num, oneOf, parseSearch, str, stringifySearch } from './search'
import { formatTokens, parseTokens, searchOf, tokensOf } from './tokens'

describe('addresses', () => {
  it('hold lists as repeated parameters, and come back the same', () => {
    const search = { state: ['failed', 'stopped'], text: 'a b&c', since: '24h' }
    expect(stringifySearch(search)).toBe('?state=failed&state=stopped&text=a+b%26c&since=24h')
    expect(parseSearch(stringifySearch(search))).toEqual(search)
  })
  it('leave out what is empty', () => expect(stringifySearch({ a: undefined, b: '', c: false })).toBe(''))
  it('are checked', () => {
    const raw = parseSearch('?state=failed,running&n=7&bad=x&start=1&q=')
    expect(list(raw.state)).toEqual(['failed', 'running'])
    expect(num(raw.n)).toBe(7)
    expect(num(raw.bad)).toBeUndefined()
    expect(flag(raw.start)).toBe(true)
    expect(str(raw.q)).toBeUndefined()
    expect(oneOf('24h', ['1h', '24h'])).toBe('24h')
    expect(oneOf('2h', ['1h', '24h'])).toBeUndefined()
    expect(compact({ a: undefined, b: 1 })).toEqual({ b: 1 })
  })
})

describe('tokens', () => {
  const keys = ['state', 'job', 'since']
  it('are read from a text', () => {
    expect(parseTokens('state:failed job:"a b" timeout reached', keys)).toEqual({
      tokens: [
        { key: 'state', value: 'failed' },
        { key: 'job', value: 'a b' },
      ],
      rest: 'timeout reached',
    })
  })
  it('leave unknown keys in the text', () => {
    expect(parseTokens('http://a.b state:', keys)).toEqual({ tokens: [], rest: 'http://a.b state:' })
  })
  it('and addresses are the same', () => {
    const search = { state: ['failed', 'stopped'], job: 'a.b' }
    const tokens = tokensOf(search, keys)
    expect(searchOf(tokens, ['state'])).toEqual(search)
    expect(parseTokens(formatTokens(tokens, 'x'), keys)).toEqual({ tokens, rest: 'x' })
  })
})
