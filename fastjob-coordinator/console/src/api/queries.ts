/** Query keys and hooks, one group per noun. The first word of a key is what `live.ts` invalidates. */
import {
  type InfiniteData,
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { ApiError, call, callTagged, get, post, seg, session, type Tagged } from './client'
import { PAGE } from './searchOn'
import type * as T from './types'

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 4_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: true,
      retry: (count, error) =>
        count < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
      retryDelay: (count) => 400 * 2 ** count,
    },
  },
})

/** The largest page that the coordinator answers. */
const MOST = 500

interface TextFilter {
  service?: string
  text?: string
}

interface Options {
  enabled?: boolean
  /** Milliseconds between fetches, besides those that events cause. */
  every?: number
}

const isMissing = (error: unknown) => error instanceof ApiError && error.missing

/** Whether a query may have another answer after these nouns have changed. What does not exist is back only when its own
 * kind has changed: a deleted job does not return because tasks have ended. */
export function mayDiffer(
  query: { queryKey: readonly unknown[]; state: { error: unknown } },
  nouns: string[],
) {
  return !isMissing(query.state.error) || nouns.includes(`${String(query.queryKey[0])}s`)
}

function useGet<Answer>(key: readonly unknown[], path: string, query?: object, options: Options = {}) {
  return useQuery<Answer>({
    queryKey: key,
    queryFn: ({ signal }) => get<Answer>(path, query, signal),
    placeholderData: keepPreviousData,
    enabled: options.enabled ?? true,
    ...(options.every !== undefined && {
      // A coordinator that does not have the call yet, or the thing any more, is not asked again and again.
      refetchInterval: (query: { state: { error: unknown } }) =>
        isMissing(query.state.error) ? false : (options.every as number),
    }),
  })
}

function usePages<Item>(key: readonly unknown[], path: string, query: object, options: Options = {}) {
  return useInfiniteQuery({
    queryKey: key,
    queryFn: ({ signal, pageParam }) =>
      get<T.Page<Item>>(path, { limit: PAGE, ...query, ...(pageParam && { cursor: pageParam }) }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    enabled: options.enabled ?? true,
    ...(options.every !== undefined && { refetchInterval: options.every }),
  })
}

/** All items of the pages that are loaded. */
export function itemsOf<Item>(data: { pages: T.Page<Item>[] } | undefined): Item[] {
  return data?.pages.flatMap((page) => page.items) ?? []
}

// Overview, statistics, schedule
export const useOverview = (service?: string) =>
  useGet<T.OverviewView>(['overview', service ?? ''], '/overview', { service }, { every: 15_000 })
export interface StatsRange {
  job?: string
  service?: string
  since?: string
  until?: string
  bucket?: string
}
export const useStats = (range: StatsRange, options?: Options) =>
  useGet<T.StatsView>(['stats', range], '/stats', range, { every: 30_000, ...options })
export const useJobStats = (
  query: {
    since?: string
    until?: string
    service?: string
    order?: 'failed' | 'run_time' | 'tasks'
    limit?: number
  },
  options?: Options,
) => useGet<T.JobStatsView>(['stats', 'jobs', query], '/stats/jobs', query, { every: 60_000, ...options })
export const useSchedule = (
  query: {
    from?: string
    until?: string
    service?: string
    label?: string[]
    per_job?: number
    limit?: number
  },
  options?: Options,
) => useGet<T.ScheduleView>(['schedule', query], '/schedule', query, { every: 60_000, ...options })
export const useAbout = () => useGet<T.AboutView>(['about'], '/about', undefined, { every: 60_000 })
export const useServices = () =>
  useGet<{ items: T.ServiceView[] }>(['services'], '/services', undefined, { every: 60_000 })

// Jobs
export const useJobs = (filter: T.JobFilter & { ends?: number; limit?: number }, options?: Options) =>
  usePages<T.JobView>(['jobs', filter], '/jobs', filter, options)
export const useJob = (name: string, ends = 20, options?: Options) =>
  useQuery<Tagged<T.JobView>>({
    queryKey: ['job', name, ends],
    queryFn: ({ signal }) => callTagged<T.JobView>('GET', `/jobs/${seg(name)}`, { query: { ends }, signal }),
    enabled: options?.enabled ?? true,
  })
export const useNextFires = (name: string, count = 10) =>
  useGet<T.Fires>(['job', name, 'next', count], `/jobs/${seg(name)}/next`, { count })
export const useJobVersions = (name: string, options?: Options) =>
  usePages<T.VersionView>(['job', name, 'versions'], `/jobs/${seg(name)}/versions`, {}, options)
export const usePreview = (query: { cron: string; zone?: string; count?: number }, options?: Options) =>
  useGet<T.Fires>(['preview', query], '/schedule/preview', query, options)

// Tasks
export const useTasks = (filter: T.TaskFilter & { limit?: number }, options?: Options) =>
  usePages<T.TaskView>(['tasks', filter], '/tasks', filter, options)
export const useTask = (id: number, options?: Options) =>
  useGet<T.TaskView>(['task', id], `/tasks/${id}`, undefined, options)

// Executors, nodes, handlers
/** The first 500 executors, of all services or of one: to choose from, and to know whether there are any. */
export const useExecutors = ({ service, ...options }: Options & { service?: string | undefined } = {}) =>
  useGet<T.Page<T.ExecutorView>>(
    ['executors', service ?? ''],
    '/executors',
    { limit: MOST, service },
    { every: 15_000, ...options },
  )
/** All executors that match, page after page. */
export const useExecutorPages = (filter: TextFilter) =>
  usePages<T.ExecutorView>(
    ['executors', 'pages', filter],
    '/executors',
    { limit: MOST, ...filter },
    { every: 15_000 },
  )
export const useExecutor = (name: string) =>
  useGet<T.ExecutorView>(['executor', name], `/executors/${seg(name)}`, undefined, { every: 5_000 })
export const useNodes = () => useGet<T.Page<T.NodeView>>(['nodes'], '/nodes', undefined, { every: 10_000 })
export const useHandlers = (query: TextFilter = {}) =>
  useGet<T.Page<T.HandlerView>>(['handlers', query], '/handlers', { limit: MOST, ...query })
export const useHandlerPages = (filter: TextFilter) =>
  usePages<T.HandlerView>(
    ['handlers', 'pages', filter],
    '/handlers',
    { limit: MOST, ...filter },
    { every: 60_000 },
  )

// Alarms
export const useAlarms = (filter: { job?: string; channel?: string; text?: string }) =>
  usePages<T.AlarmView>(['alarms', filter], '/alarms', filter)
export const useChannels = () => useGet<T.Page<T.ChannelView>>(['channels'], '/alarms/channels')
export const useSilences = () => useGet<T.Page<T.SilenceView>>(['silences'], '/alarms/silences')

// The session
export const useSession = () =>
  useQuery({ queryKey: ['session'], queryFn: () => session.read(), staleTime: Number.POSITIVE_INFINITY })

/** What a page can do. Each answers a promise and refetches what it changed. */
export const actions = {
  start: (job: string, request: T.StartRequest) =>
    post<T.Started>(`/jobs/${seg(job)}/start`, { cause: 'manual', ...request }),
  setEnabled: (job: string, enabled: boolean, ifMatch?: string) =>
    call<T.JobView>('POST', `/jobs/${seg(job)}/${enabled ? 'enable' : 'disable'}`, {
      ...(ifMatch && { ifMatch }),
    }),
  backfill: (job: string, request: T.BackfillRequest) =>
    post<T.Backfilled>(`/jobs/${seg(job)}/backfill`, request),
  release: (job: string) => post<T.JobView>(`/jobs/${seg(job)}/release`),
  createJob: (draft: T.JobDraft) => callTagged<T.JobView>('POST', '/jobs', { body: draft }),
  saveJob: (job: string, draft: T.JobDraft, ifMatch?: string) =>
    callTagged<T.JobView>('PUT', `/jobs/${seg(job)}`, { body: draft, ...(ifMatch && { ifMatch }) }),
  applyJobs: (request: T.ApplyRequest) => call<T.Applied>('PATCH', '/jobs', { body: request }),
  deleteJob: (job: string, id?: number) => call<void>('DELETE', `/jobs/${seg(job)}`, { query: { id } }),
  restoreJob: (job: string, revision: number, ifMatch?: string) =>
    call<T.JobView>('POST', `/jobs/${seg(job)}/restore`, {
      body: { revision },
      ...(ifMatch && { ifMatch }),
    }),
  /** Changes some fields. */
  patchJob: (job: string, fields: Partial<T.JobDraft>, ifMatch?: string) =>
    call<unknown>('PATCH', `/jobs/${seg(job)}`, { body: fields, ...(ifMatch && { ifMatch }) }),
  jobVersion: (job: string, revision: number) => get<T.JobVersion>(`/jobs/${seg(job)}/versions/${revision}`),
  bulkJobs: (request: T.BulkJobsRequest) => post<T.BulkAnswer>('/jobs/bulk', request),
  stop: (task: number) => post<T.StopAnswer>(`/tasks/${task}/stop`),
  rerun: (task: number, request: T.RerunRequest = {}) =>
    post<T.Started>(`/tasks/${task}/rerun`, { cause: 'manual', ...request }),
  bulkTasks: (request: T.BulkTasksRequest) => post<T.BulkAnswer>('/tasks/bulk', request),
  drain: (executor: string) => post<T.ExecutorView>(`/executors/${seg(executor)}/drain`),
  resume: (executor: string) => post<T.ExecutorView>(`/executors/${seg(executor)}/resume`),
  testChannel: (channel: string) => post<T.Tested>(`/alarms/channels/${seg(channel)}/test`),
  silence: (request: T.SilenceRequest) => post<T.SilenceView>('/alarms/silences', request),
  unsilence: (id: number) => call<void>('DELETE', `/alarms/silences/${id}`),
}

/** The version of a job as it was read, for `If-Match`. */
export const tagOf = (job: Pick<T.JobView, 'id' | 'revision'>): string => `"${job.id}-${job.revision}"`

/** Shows a job as a change has answered it, before the lists are read again: the next change expects its version. */
export function rememberJob(client: QueryClient, job: T.JobView): void {
  const merged = (old: T.JobView): T.JobView =>
    old.id === job.id && old.revision <= job.revision
      ? { ...old, ...job, ...(old.activity && { activity: old.activity }) }
      : old
  client.setQueriesData<InfiniteData<T.Page<T.JobView>>>(
    { queryKey: ['jobs'] },
    (data) =>
      data && {
        ...data,
        pages: data.pages.map((page) => ({ ...page, items: page.items.map(merged) })),
      },
  )
  client.setQueriesData<Tagged<T.JobView>>(
    {
      predicate: ({ queryKey }) =>
        queryKey[0] === 'job' && queryKey.length === 3 && typeof queryKey[2] === 'number',
    },
    (found) =>
      found?.data?.id === job.id ? { data: merged(found.data), etag: tagOf(merged(found.data)) } : found,
  )
}

/** Everything that a change of a noun may alter on a page. */
export const affected: Record<string, string[]> = {
  jobs: ['jobs', 'job', 'find', 'overview', 'schedule', 'services', 'handlers'],
  tasks: ['tasks', 'overview', 'jobs', 'job'],
  executors: ['executors', 'executor', 'overview', 'services', 'handlers'],
  alarms: ['alarms', 'silences', 'overview'],
  nodes: ['nodes', 'about'],
}

/** Marks what a change of these nouns alters as stale and refetches what is shown. */
export function invalidate(client: QueryClient, ...nouns: (keyof typeof affected)[]): void {
  const words = new Set(nouns.flatMap((noun) => affected[noun] ?? [String(noun)]))
  void client.invalidateQueries({ predicate: (query) => words.has(String(query.queryKey[0])) })
}

/** An action as a mutation: `const stop = useAction(actions.stop, 'tasks')`, `stop.mutate(id)`. */
export function useAction<Args extends unknown[], Answer>(
  action: (...args: Args) => Promise<Answer>,
  ...nouns: (keyof typeof affected)[]
) {
  const client = useQueryClient()
  return useMutation<Answer, Error, Args>({
    mutationFn: (args) => action(...args),
    onSettled: () => invalidate(client, ...nouns),
  })
}
