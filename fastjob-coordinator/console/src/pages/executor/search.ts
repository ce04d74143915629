import { compact, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds. */
export const validateExecutor = (raw: RawSearch) =>
  compact({
    tab: str(raw.tab),
  })
