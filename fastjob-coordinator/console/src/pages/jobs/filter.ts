/** The address of the page as a filter of REST. */
import type { JobFilter } from '../../api/types'
import { instantOf } from '../tasks/filter'
import type { JobsSearch } from './search'

export function filterOf(search: JobsSearch, service: string | undefined, now: number): JobFilter {
  const idle =
    search.idle === 'ever' || search.idle === 'release'
      ? search.idle
      : search.idle && instantOf(search.idle, now)
  return {
    ...(service && { service }),
    ...(search.label && { label: search.label }),
    ...(search.text && { text: search.text }),
    ...(search.enabled && { enabled: search.enabled === 'true' }),
    ...(search.origin && { origin: search.origin }),
    ...(search.schedule && { schedule: search.schedule }),
    ...(search.last && { last_state: search.last }),
    ...(search.running && { running: true as const }),
    ...(idle && { idle_since: idle }),
    ...(search.order && { order: search.order }),
  }
}
