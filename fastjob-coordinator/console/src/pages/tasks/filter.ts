/** The address of the page as a filter of REST. */
import type { TaskFilter } from '../../api/types'
import { parseSpan } from '../../i18n/format'
import type { TasksSearch } from './search'

const MINUTE = 60_000

/** An instant as people write it: RFC 3339, `24h`, `today`. Whole minutes, so that a list is not read again each second. */
export function instantOf(text: string, now: number): string | undefined {
  if (text === 'today') {
    const day = new Date(now)
    day.setHours(0, 0, 0, 0)
    return day.toISOString()
  }
  const span = parseSpan(text)
  if (span !== null) return new Date(Math.floor((now - span) / MINUTE) * MINUTE).toISOString()
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : new Date(at).toISOString()
}

export function filterOf(search: TasksSearch, service: string | undefined, now: number): TaskFilter {
  const since = search.since ? instantOf(search.since, now) : undefined
  const until = search.until ? instantOf(search.until, now) : undefined
  return {
    ...(search.job && { job: search.job }),
    ...(service && { service }),
    ...(search.label && { label: search.label }),
    ...(search.state && { state: search.state }),
    ...(search.cause && { cause: search.cause }),
    ...(search.executor && { executor: search.executor }),
    ...(search.error && { text: search.error }),
    ...(search.reason && { reason: search.reason }),
    ...(search.key && { key: search.key }),
    ...(search.longer && { min_run_time: search.longer }),
    ...(search.late && { late: search.late }),
    ...(since && { since }),
    ...(until && { until }),
    ...(search.order && { order: search.order }),
  }
}
