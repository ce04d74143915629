import { compact, flag, oneOf, type RawSearch } from '../../lib/search'

/** What the address of this page holds. */
export const validateJob = (raw: RawSearch) =>
  compact({
    tab: oneOf(raw.tab, ['overview', 'tasks', 'definition', 'alarms', 'children', 'history']),
    /** Opens the start dialog. */
    start: flag(raw.start),
  })
