import { compact, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds. */
export const validateHandlers = (raw: RawSearch) =>
  compact({
    text: str(raw.text),
  })
