import { compact, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds. */
export const validateAlarms = (raw: RawSearch) =>
  compact({
    job: str(raw.job),
    channel: str(raw.channel),
    tab: str(raw.tab),
  })
