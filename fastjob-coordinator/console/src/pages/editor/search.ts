import { compact, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds. */
export const validateEditor = (raw: RawSearch) =>
  compact({
    /** The job that this one copies. */
    copy: str(raw.copy),
  })
