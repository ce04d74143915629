/**
 * Jobs to choose from, by words: in the palette, and where a job is picked. The first 500 are read. Where there are more,
 * the coordinator is asked after a pause: for the job of exactly this name, and for jobs with these words, in a search
 * that continues by itself.
 */
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import { ApiError, get, seg } from './client'
import { choicesOf, filterOf, isNamed, mayBeName, score, textOfJob, wordsOf } from './jobWords'
import { itemsOf, useServices } from './queries'
import { type SearchOn, useSearchOn } from './searchOn'
import type { JobView, Page } from './types'

/** Jobs that are enough to choose from. */
export const CHOICES = 6
const LIMIT = 20
const PAUSE = 200

/** The jobs of exactly this name: none, one, or some of those that several services have. */
async function named(name: string, ends: number | undefined, signal: AbortSignal): Promise<JobView[]> {
  const one = (path: string) => get<JobView>(`/jobs/${seg(path)}`, { ends }, signal)
  try {
    return [await one(name)]
  } catch (error) {
    if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) throw error
    const found = await Promise.allSettled(choicesOf(error.detail).slice(0, CHOICES).map(one))
    return found.flatMap((job) => (job.status === 'fulfilled' ? [job.value] : []))
  }
}

export interface FoundJobs {
  /** All that are known, the one of exactly this name first. */
  jobs: JobView[]
  /** The coordinator has more than 500 jobs. */
  more: boolean
  search: SearchOn
}

interface Options {
  /** How many of the last tasks of each job come with it. */
  ends?: number
}

/** Jobs with these words; none are read before there is a text. */
export function useFindJobs(typed: string | null, { ends }: Options = {}): FoundJobs {
  const text = typed?.trim() ?? ''
  const [paused] = useDebouncedValue(text, PAUSE)
  const services = useServices()
  const all = useQuery({
    queryKey: ['find', 'jobs', ends],
    queryFn: ({ signal }) => get<Page<JobView>>('/jobs', { limit: 500, ends }, signal),
    enabled: typed !== null,
    staleTime: 30_000,
  })
  const more = Boolean(all.data?.next_cursor)
  const known = useMemo(() => all.data?.items ?? [], [all.data])
  const exact = useQuery({
    queryKey: ['find', 'job', paused, ends],
    queryFn: ({ signal }) => named(paused, ends, signal),
    enabled: more && mayBeName(paused) && !known.some((job) => isNamed(job, paused)),
    retry: false,
    staleTime: 30_000,
  })
  const names = useMemo(() => services.data?.items.map((one) => one.service) ?? [], [services.data])
  const filter = useMemo(() => filterOf(paused, names), [paused, names])
  const words = useMemo(() => wordsOf(paused), [paused])
  const enabled = more && paused.length > 1 && !/^#?\d+$/.test(paused)
  const list = useInfiniteQuery({
    queryKey: ['find', 'jobs', ends, filter],
    queryFn: ({ signal, pageParam }) =>
      get<Page<JobView>>(
        '/jobs',
        { limit: LIMIT, ends, ...filter, ...(pageParam && { cursor: pageParam }) },
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
    wanted: CHOICES,
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
  const waits = enabled && (paused !== text || list.isPlaceholderData || list.isPending)
  return { jobs, more, search: enabled ? { ...search, searching: search.searching || waits } : search }
}
