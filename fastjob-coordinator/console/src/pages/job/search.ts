import { compact, flag, oneOf, type RawSearch } from '../../lib/search'

export const JOB_TABS = ['overview', 'tasks', 'definition', 'alarms', 'children', 'history'] as const
export type JobTab = (typeof JOB_TABS)[number]

/** What the address of this page holds. */
export const validateJob = (raw: RawSearch) =>
  compact({
    tab: oneOf(raw.tab, JOB_TABS),
    /** Opens the start dialog. */
    start: flag(raw.start),
  })
