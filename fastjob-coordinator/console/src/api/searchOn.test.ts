// @vitest-environment jsdom
import { QueryClient, QueryClientProvider, useInfiniteQuery } from '@tanstack/react-query'
import { createElement } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  BOUND,
  endedEarly,
  isWithinBound,
  mayReadAgain,
  reachedOf,
  type SearchOn,
  useSearchOn,
} from './searchOn'
import type { Page } from './types'

type Ask = (cursor: string, signal: AbortSignal) => Promise<Page<number>>

const page = (items: number[], next_cursor: string | null): Page<number> => ({ items, next_cursor })
const many = (count: number) => Array.from({ length: count }, (_, index) => index)

let client: QueryClient
let root: Root
let seen: { search: SearchOn; rows: number[] }

function List({ about, ask }: { about: string; ask: Ask }) {
  const list = useInfiniteQuery({
    queryKey: ['list', about],
    queryFn: ({ pageParam, signal }) => ask(pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (last: Page<number>) => last.next_cursor ?? undefined,
  })
  const search = useSearchOn(list, about)
  seen = { search, rows: list.data?.pages.flatMap((one) => one.items) ?? [] }
  return null
}

const show = (about: string, ask: Ask) =>
  root.render(createElement(QueryClientProvider, { client }, createElement(List, { about, ask })))
const until = (holds: () => boolean) =>
  vi.waitFor(() => expect(holds()).toBe(true), { interval: 2, timeout: 5_000 })

beforeEach(() => {
  seen = { search: { searching: false, stopped: false, reached: {}, goOn: () => {} }, rows: [] }
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  root = createRoot(document.createElement('div'))
})
afterEach(() => {
  root.unmount()
  client.clear()
  vi.restoreAllMocks()
})

describe('a search that continues by itself', () => {
  it('follows the cursors of empty pages to the match, and to the end', async () => {
    const pages: Record<string, Page<number>> = {
      '': page([], 'a/one'),
      'a/one': page([], 'b/two'),
      'b/two': page([7], null),
    }
    const asked: string[] = []
    show('late', async (cursor) => {
      asked.push(cursor)
      return pages[cursor] as Page<number>
    })
    await until(() => seen.rows.length === 1)
    expect(asked).toEqual(['', 'a/one', 'b/two'])
    expect(seen.search).toMatchObject({ searching: false, stopped: false })
  })

  it('stops when a screen is full, and the next page then needs a click', async () => {
    let asked = 0
    show('often', async () => {
      asked += 1
      return page(many(15), `x/${asked}`)
    })
    await until(() => seen.rows.length === 30)
    expect(asked).toBe(2)
    expect(seen.search).toMatchObject({ searching: false, stopped: false })
  })

  it('does not continue behind a full page', async () => {
    let asked = 0
    show('full', async () => {
      asked += 1
      return page(many(50), `x/${asked}`)
    })
    await until(() => seen.rows.length === 50)
    expect(asked).toBe(1)
  })

  it('stops at the bound and says where, and a click continues it with a new bound', async () => {
    let asked = 0
    show('never', async () => {
      asked += 1
      return page([], `svc/job-${asked}`)
    })
    await until(() => seen.search.stopped)
    expect(asked).toBe(1 + BOUND.requests)
    expect(seen.search.reached).toEqual({ job: `svc.job-${asked}` })
    seen.search.goOn()
    await until(() => seen.search.stopped && asked > 1 + BOUND.requests)
    expect(asked).toBe(1 + 2 * BOUND.requests)
  })

  it('stops when its time has passed', async () => {
    let now = 1_000
    vi.spyOn(Date, 'now').mockImplementation(() => now)
    let asked = 0
    show('slow', async () => {
      asked += 1
      now += BOUND.ms / 2
      return page([], `svc/job-${asked}`)
    })
    await until(() => seen.search.stopped)
    expect(asked).toBe(3)
  })

  it('aborts the request in progress when something else is searched for', async () => {
    const signals: AbortSignal[] = []
    show('first', (cursor, signal) => {
      if (cursor === '') return Promise.resolve(page([], 'a/one'))
      signals.push(signal)
      return new Promise<Page<number>>(() => {})
    })
    await until(() => signals.length === 1)
    const asked: string[] = []
    show('second', async (cursor) => {
      asked.push(cursor)
      return page([1], null)
    })
    await until(() => seen.rows.length === 1)
    expect(signals[0]?.aborted).toBe(true)
    expect(asked).toEqual([''])
  })

  it('aborts the request in progress when its page is left', async () => {
    const signals: AbortSignal[] = []
    show('first', (cursor, signal) => {
      if (cursor === '') return Promise.resolve(page([], 'a/one'))
      signals.push(signal)
      return new Promise<Page<number>>(() => {})
    })
    await until(() => signals.length === 1)
    root.render(null)
    await until(() => signals[0]?.aborted === true)
  })

  it('does not repeat a request that has failed, until a click', async () => {
    let asked = 0
    show('broken', async (cursor) => {
      asked += 1
      if (cursor !== '' && asked === 2) throw new Error('unavailable')
      return cursor === '' ? page([], 'a/one') : page([3], null)
    })
    await until(() => asked === 2 && !seen.search.searching)
    seen.search.goOn()
    await until(() => seen.rows.length === 1)
    expect(asked).toBe(3)
  })
})

describe('the rules of a search', () => {
  it('know a page that ended early', () => {
    expect(endedEarly(page(many(50), 'a/b'), 50)).toBe(false)
    expect(endedEarly(page(many(49), 'a/b'), 50)).toBe(true)
    expect(endedEarly(page([], null), 50)).toBe(false)
    expect(endedEarly({ ...page(many(50), '7'), searched_to: '2026-11-22T00:00:00Z' }, 50)).toBe(true)
    expect(endedEarly(undefined, 50)).toBe(false)
  })

  it('say how far a search has come, where that is known', () => {
    expect(reachedOf({ ...page([], '7'), searched_to: '2026-11-22T00:00:00Z' })).toEqual({
      at: '2026-11-22T00:00:00Z',
    })
    expect(reachedOf(page([], 'billing/invoice'))).toEqual({ job: 'billing.invoice' })
    expect(reachedOf(page([], '@500'))).toEqual({})
    expect(reachedOf(page([], null))).toEqual({})
  })

  it('count requests and time', () => {
    expect(isWithinBound({ requests: 0, since: null }, 5)).toBe(true)
    expect(isWithinBound({ requests: BOUND.requests, since: 0 }, 5)).toBe(false)
    expect(isWithinBound({ requests: 1, since: 0 }, BOUND.ms)).toBe(false)
  })

  it('read a list again that was searched far, but seldom, and none whose user has loaded more', () => {
    const far = [page([], 'a/b'), page([1], null)]
    const idle = { readAt: 0, isFetching: false, isFetchingMore: false }
    expect(mayReadAgain([page([1], 'a/b')], idle, 1)).toBe(true)
    expect(mayReadAgain(far, idle, 1_000)).toBe('later')
    expect(mayReadAgain(far, idle, 60_000)).toBe(true)
    expect(mayReadAgain([page(many(50), 'a/b'), page([1], null)], idle, 60_000)).toBe(false)
  })

  it('let a search that is in progress finish', () => {
    const fetching = { readAt: 0, isFetching: true, isFetchingMore: false }
    const more = { ...fetching, isFetchingMore: true }
    expect(mayReadAgain([page([], 'a/b')], fetching, 1)).toBe('later')
    expect(mayReadAgain([page([], 'a/b')], more, 1)).toBe('later')
    expect(mayReadAgain([page(many(50), 'a/b')], more, 1)).toBe('later')
    expect(mayReadAgain([page(many(50), 'a/b')], fetching, 1)).toBe(true)
    expect(mayReadAgain([page([1], null)], fetching, 1)).toBe(true)
  })
})
