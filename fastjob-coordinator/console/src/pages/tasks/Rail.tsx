/** The states with their counts, the range of time, and what started the tasks: one click each. */
import { Link } from '@tanstack/react-router'
import { useOverview, useStats } from '../../api/queries'
import type { TaskFilter } from '../../api/types'
import { useI18n } from '../../i18n'
import { StatusIcon } from '../../ui'
import type { TasksSearch } from './search'

const STATES = ['queued', 'running', 'succeeded', 'failed', 'stopped', 'skipped'] as const
const RANGES = { hour: '1h', today: 'today', day: '24h', week: '7d' } as const
const CAUSES = ['schedule', 'manual', 'api', 'parent', 'backfill', 'misfire'] as const

interface Props {
  search: TasksSearch
  service: string | undefined
  filter: TaskFilter
  onRange: () => void
  /** Something was chosen: a sheet closes. */
  onPick?: () => void
}

export function Rail({ search, service, filter, onRange, onPick }: Props) {
  const { t, f } = useI18n()
  const narrow = Boolean(
    search.label ||
      search.executor ||
      search.cause ||
      search.error ||
      search.reason ||
      search.key ||
      search.longer ||
      search.late,
  )
  const overview = useOverview(service)
  const day = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 86_400_000).toISOString()
  const stats = useStats({
    ...(search.job ? { job: search.job } : service ? { service } : {}),
    since: filter.since ?? day,
    ...(filter.until && { until: filter.until }),
  })
  const open = overview.data?.tasks
  const total = stats.data?.total
  const count = (state: (typeof STATES)[number]): number | null | undefined => {
    // Of other filters the counts are not known without counting.
    if (narrow) return undefined
    if (state === 'queued' || state === 'running') return search.job ? undefined : open?.[state]
    return total?.[state]
  }
  const set = (change: Partial<TasksSearch>) => (now: Record<string, unknown>) => ({ ...now, ...change })
  const current = search.state?.length === 1 ? search.state[0] : undefined
  const causes = t.cause as Record<string, string>
  return (
    <>
      <h2>
        {t.tasks.states}
        {!filter.since && !narrow && <span className="n">{t.tasks.ranges.day}</span>}
      </h2>
      <Link
        to="/tasks"
        search={set({ state: undefined })}
        aria-current={search.state ? undefined : 'true'}
        activeProps={{}}
        onClick={onPick}
      >
        <StatusIcon state="none" />
        {t.tasks.all}
      </Link>
      {STATES.map((state) => (
        <Link
          key={state}
          to="/tasks"
          search={set({ state: [state] })}
          activeProps={{}}
          aria-current={current === state ? 'true' : undefined}
          onClick={onPick}
        >
          <StatusIcon state={state} still />
          {t.state[state]}
          {typeof count(state) === 'number' && <span className="n">{f.n(count(state) ?? 0)}</span>}
        </Link>
      ))}
      <h2>{t.tasks.due}</h2>
      {(Object.keys(RANGES) as (keyof typeof RANGES)[]).map((range) => (
        <Link
          key={range}
          to="/tasks"
          search={set({ since: RANGES[range], until: undefined })}
          activeProps={{}}
          aria-current={search.since === RANGES[range] && !search.until ? 'true' : undefined}
          onClick={onPick}
        >
          {t.tasks.ranges[range]}
        </Link>
      ))}
      <button type="button" onClick={onRange} aria-current={search.until ? 'true' : undefined}>
        {t.tasks.ranges.pick}
      </button>
      <Link
        to="/tasks"
        search={set({ since: undefined, until: undefined })}
        activeProps={{}}
        aria-current={search.since || search.until ? undefined : 'true'}
        onClick={onPick}
      >
        {t.tasks.ranges.any}
      </Link>
      <h2>{t.tasks.startedBy}</h2>
      {CAUSES.map((cause) => (
        <Link
          key={cause}
          to="/tasks"
          search={set({ cause: search.cause === cause ? undefined : cause })}
          activeProps={{}}
          aria-current={search.cause === cause ? 'true' : undefined}
          onClick={onPick}
        >
          {causes[cause]}
        </Link>
      ))}
    </>
  )
}
