import { compact, num, oneOf, type RawSearch } from '../../lib/search'

export const TASK_TABS = ['log', 'result', 'param', 'attempts', 'definition'] as const
export type TaskTab = (typeof TASK_TABS)[number]

/** What the address of this page holds. */
export const validateTask = (raw: RawSearch) =>
  compact({
    tab: oneOf(raw.tab, TASK_TABS),
    shard: num(raw.shard),
    /** From 1; the newest attempt of the shard without it. */
    attempt: num(raw.attempt),
    line: num(raw.line),
  })
