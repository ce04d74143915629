/**
 * The jobs that the palette finds. It has the first 500 of them. Where there are more, the coordinator is asked after a
 * pause: for the job of exactly this name, and for jobs with these words, in a search that continues by itself.
 */
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import { ApiError, get, seg } from '../api/client'
import { itemsOf, useServices } from '../api/queries'
import { type SearchOn, useSearchOn } from '../api/searchOn'
import type { JobView, Page } from '../api/types'
import { choicesOf, filterOf, isNamed, mayBeName, score, textOfJob, wordsOf } from './jobWords'

/** Jobs that the palette shows. */
export const SHOWN = 6
const LIMIT = 20
const PAUSE = 200

/** The jobs of exactly this name: none, one, or some of those that several services have. */
async function named(name: string, signal: AbortSignal): Promise<JobView[]> {
  const one = (path: string) => get<JobView>(`/jobs/${seg(path)}`, { ends: 1 }, signal)
  try {
    return [await one(name)]
  } catch (error) {
    if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) throw error
    const found = await Promise.allSettled(choicesOf(error.detail).slice(0, SHOWN).map(one))
    return found.flatMap((job) => (job.status === 'fulfilled' ? [job.value] : []))
  }
}

export interface PaletteJobs {
  /** All that are known, the one of exactly this name first. */
  jobs: JobView[]
  /** The coordinator has more jobs than the palette. */
  more: boolean
  search: SearchOn
}

export function usePaletteJobs(typed: string): PaletteJobs {
  const [paused] = useDebouncedValue(typed.trim(), PAUSE)
  const services = useServices()
  const all = useQuery({
    queryKey: ['palette', 'jobs'],
    queryFn: ({ signal }) => get<Page<JobView>>('/jobs', { limit: 500, ends: 1 }, signal),
    staleTime: 30_000,
  })
  const more = Boolean(all.data?.next_cursor)
  const known = useMemo(() => all.data?.items ?? [], [all.data])
  const exact = useQuery({
    queryKey: ['palette', 'job', paused],
    queryFn: ({ signal }) => named(paused, signal),
    enabled: more && mayBeName(paused) && !known.some((job) => isNamed(job, paused)),
    retry: false,
    staleTime: 30_000,
  })
  const names = useMemo(() => services.data?.items.map((one) => one.service) ?? [], [services.data])
  const filter = useMemo(() => filterOf(paused, names), [paused, names])
  const words = useMemo(() => wordsOf(paused), [paused])
  const enabled = more && paused.length > 1 && !/^#?\d+$/.test(paused)
  const list = useInfiniteQuery({
    queryKey: ['palette', 'jobs', filter],
    queryFn: ({ signal, pageParam }) =>
      get<Page<JobView>>(
        '/jobs',
        { limit: LIMIT, ends: 1, ...filter, ...(pageParam && { cursor: pageParam }) },
        signal,
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    enabled,
    retry: false,
    staleTime: 30_000,
  })
  const search = useSearchOn(list, paused, {
    limit: LIMIT,
    wanted: SHOWN,
    // The coordinator compares one of the words, and params too.
    count: useCallback(
      (items: readonly JobView[]) => items.filter((job) => score(textOfJob(job), words) >= 0).length,
      [words],
    ),
  })
  const jobs = useMemo(() => {
    const found = [...known, ...itemsOf(list.data)]
    const isExact = (job: JobView) => isNamed(job, paused)
    const first = exact.data?.length ? exact.data : found.filter(isExact)
    return [...new Map([...first, ...found].map((job) => [job.id, job])).values()]
  }, [known, list.data, exact.data, paused])
  const waits = enabled && (paused !== typed.trim() || list.isPlaceholderData || list.isPending)
  return { jobs, more, search: enabled ? { ...search, searching: search.searching || waits } : search }
}
