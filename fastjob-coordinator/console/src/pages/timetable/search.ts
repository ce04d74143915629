import { compact, oneOf, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds. */
export const validateTimetable = (raw: RawSearch) =>
  compact({
    range: oneOf(raw.range, ['day', 'week']),
    from: str(raw.from),
  })
