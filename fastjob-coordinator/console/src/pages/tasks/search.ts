import { compact, list, oneOf, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds: the names of the tokens. */
export const validateTasks = (raw: RawSearch) =>
  compact({
    state: list(raw.state),
    job: str(raw.job),
    executor: str(raw.executor),
    cause: str(raw.cause),
    /** Text in the error. */
    error: str(raw.error) ?? str(raw.text),
    reason: str(raw.reason),
    key: str(raw.key),
    label: list(raw.label),
    /** Took longer than. */
    longer: str(raw.longer),
    late: str(raw.late),
    /** An instant, or how long ago, such as `24h`, or `today`. */
    since: str(raw.since),
    until: str(raw.until),
    order: oneOf(raw.order, ['oldest', 'run_time']),
  })

export type TasksSearch = ReturnType<typeof validateTasks>
