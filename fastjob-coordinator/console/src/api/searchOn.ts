/**
 * Searches that continue by themselves. A page of a list that is searched ends early, possibly empty, when the
 * coordinator has looked at many jobs or tasks without filling it. The console requests the next page until a screen is
 * full, within a bound; then it says how far the search has come, and offers to search on.
 *
 * The list is the query of its page: other filters, or another page, abort the request in progress.
 */
import type { InfiniteData } from '@tanstack/react-query'
import { useCallback, useEffect, useState } from 'react'
import type { Page } from './types'

/** Rows on a page, if a list has no other limit. */
export const PAGE = 50
/** Rows with which a search does not continue by itself. */
export const SCREENFUL = 20
/** How far a search continues by itself. */
export const BOUND = { requests: 20, ms: 4_000 }
/** A list that was searched far is searched again at most this often, for each of its pages. */
const PACE = 6_000

/** What a search has used of its bound. */
export interface Spent {
  requests: number
  /** When the first request was sent. */
  since: number | null
}

export function isWithinBound({ requests, since }: Spent, now: number): boolean {
  return requests < BOUND.requests && (since === null || now - since < BOUND.ms)
}

/** Whether the coordinator ended a page early: it has fewer items than it may have, and there is more to search. */
export function endedEarly(page: Page<unknown> | undefined, limit: number): boolean {
  if (!page?.next_cursor) return false
  return page.searched_to !== undefined || page.items.length < limit
}

/** Up to where a page was searched: an instant of tasks and alarms, a job as `service.name`; empty if that is not known. */
export function reachedOf(page: Page<unknown> | undefined): { at?: string; job?: string } {
  if (page?.searched_to !== undefined) return { at: page.searched_to }
  const found = /^([^/@]+)\/([^/]+)$/.exec(page?.next_cursor ?? '')
  return found ? { job: `${found[1]}.${found[2]}` } : {}
}

interface Reading {
  /** When the last answer arrived. */
  readAt: number
  /** A request is in progress. */
  isFetching: boolean
  /** It is for the next page. */
  isFetchingMore: boolean
}

/** Whether a list may be read again after a change. One whose user has loaded more keeps its place. One that has
 * searched far for few rows is read again at a pace. To read one again aborts its request in progress: frequent changes
 * would keep a search at its first page. */
export function mayReadAgain(
  pages: readonly Page<unknown>[],
  { readAt, isFetching, isFetchingMore }: Reading,
  now: number,
): boolean | 'later' {
  if (isFetchingMore || (isFetching && endedEarly(pages[pages.length - 1], PAGE))) return 'later'
  if (pages.length <= 1) return true
  const items = pages.reduce((sum, page) => sum + (page.items?.length ?? 0), 0)
  if (items > PAGE) return false
  return now - readAt >= PACE * pages.length || 'later'
}

/** A list of pages, as `useInfiniteQuery` answers it. */
export interface SearchedList<Item> {
  data: InfiniteData<Page<Item>> | undefined
  hasNextPage: boolean
  isFetching: boolean
  isError: boolean
  isPlaceholderData: boolean
  fetchNextPage: (options?: { cancelRefetch?: boolean }) => Promise<unknown>
}

export interface SearchOn {
  /** The next page is requested, or about to be. */
  searching: boolean
  /** The search stopped at its bound with few rows, and can continue. */
  stopped: boolean
  /** Up to where it has searched. */
  reached: { at?: string; job?: string }
  /** Loads more, or continues a search, with a new bound. */
  goOn: () => void
}

interface Round {
  about: string
  /** How many rows are enough. */
  wanted: number
  /** Counted by the effect below. */
  spent: Spent
  over: boolean
}

const begin = (about: string, wanted: number): Round => ({
  about,
  wanted,
  spent: { requests: 0, since: null },
  over: false,
})

interface Options<Item> {
  /** The most items of a page. */
  limit?: number
  /** How many rows are enough. */
  wanted?: number
  /** How many of the items count, if not all. */
  count?: (items: readonly Item[]) => number
}

/** Continues the search of a list while it has few rows. `about` is what is searched for: another text begins again. */
export function useSearchOn<Item>(
  list: SearchedList<Item>,
  about: string,
  { limit = PAGE, wanted = SCREENFUL, count = (items) => items.length }: Options<Item> = {},
): SearchOn {
  const [kept, setRound] = useState(() => begin(about, wanted))
  const round = kept.about === about ? kept : begin(about, wanted)
  if (round !== kept) setRound(round)

  const { data, isFetching, isPlaceholderData, fetchNextPage } = list
  const pages = data?.pages ?? []
  const last = pages[pages.length - 1]
  const found = count(pages.flatMap((page) => page.items))
  const isShort =
    list.hasNextPage && !isPlaceholderData && !list.isError && found < round.wanted && endedEarly(last, limit)
  // biome-ignore lint/correctness/useExhaustiveDependencies: also after a page that came without a pause.
  useEffect(() => {
    if (!isShort || isFetching || round.over) return
    const now = Date.now()
    if (!isWithinBound(round.spent, now)) {
      setRound({ ...round, over: true })
      return
    }
    round.spent.since ??= now
    round.spent.requests += 1
    void fetchNextPage({ cancelRefetch: false })
  }, [isShort, isFetching, round, fetchNextPage, pages.length])

  const goOn = useCallback(() => {
    setRound(begin(about, found + wanted))
    // The effect above continues a search.
    if (!isShort) void fetchNextPage()
  }, [about, found, wanted, isShort, fetchNextPage])
  return {
    searching: isShort && !round.over,
    stopped: isShort && round.over,
    reached: reachedOf(last),
    goOn,
  }
}
