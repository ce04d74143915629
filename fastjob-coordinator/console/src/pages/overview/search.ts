import { compact, oneOf, type RawSearch, str } from '../../lib/search'
import { ranges } from './range'

const instant = (value: unknown) => {
  const text = str(value)
  return text !== undefined && Number.isFinite(Date.parse(text)) ? text : undefined
}

/** What the address of this page holds: a range that ends now, or one that was drawn in the chart. */
export const validateOverview = (raw: RawSearch) =>
  compact({ range: oneOf(raw.range, ranges), from: instant(raw.from), until: instant(raw.until) })
