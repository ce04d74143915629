import { compact, oneOf, type RawSearch } from '../../lib/search'

/** What the address of this page holds. */
export const validateOverview = (raw: RawSearch) =>
  compact({
    range: oneOf(raw.range, ['1h', '6h', '24h', '7d', '30d']),
  })
