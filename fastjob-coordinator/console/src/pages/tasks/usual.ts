/** How long tasks of the jobs in a list usually take: 95 % of the last week. */
import { useQueries } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import { ApiError, get } from '../../api/client'
import type { StatsView } from '../../api/types'

/** Statistics of more jobs would cost more than they tell. */
const JOBS = 20
const FRESH = 10 * 60_000
const KEPT = 2 * 3_600_000

/** Null for a job that was deleted, of which there are no statistics. */
type Usual = StatsView | null

/** The 95th percentile by job, as `service.name`, in milliseconds. */
export function useUsual(jobs: readonly string[]): Map<string, number> {
  const since = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7 * 86_400_000).toISOString()
  const names = [...new Set(jobs)].slice(0, JOBS)
  const wanted = names.join(' ')
  const usual = useQueries({
    queries: names.map((job) => ({
      queryKey: ['usual', job],
      queryFn: ({ signal }: { signal: AbortSignal }): Promise<Usual> =>
        get<StatsView>('/stats', { job, since, bucket: '24h' }, signal).catch((error: unknown) => {
          if (error instanceof ApiError && error.status === 404) return null
          throw error
        }),
      // A deleted job is not asked for again: each 404 is a line in the browser's log.
      staleTime: ({ state }: { state: { data: Usual | undefined } }) =>
        state.data === null ? Number.POSITIVE_INFINITY : FRESH,
      gcTime: KEPT,
      retry: false,
    })),
    combine: useCallback(
      (answers: { data?: Usual | undefined }[]) => {
        const found: Record<string, number> = {}
        answers.forEach((answer, index) => {
          const job = wanted.split(' ')[index]
          const run = answer.data?.total.run_time
          if (job && run && run.count >= 5) found[job] = run.p95_ms
        })
        return found
      },
      [wanted],
    ),
  })
  // An object keeps its identity while nothing in it changes; the columns of the table depend on it.
  return useMemo(() => new Map(Object.entries(usual)), [usual])
}
