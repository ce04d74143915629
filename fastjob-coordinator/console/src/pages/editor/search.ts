import { compact, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds. */
export const validateEditor = (raw: RawSearch) =>
  compact({
    /** The job that this one copies: `service.name`. */
    copy: str(raw.copy),
    /** The handler that a new job is for: `service.handler`. */
    handler: str(raw.handler),
  })
