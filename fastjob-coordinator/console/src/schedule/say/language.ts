import type { Meaning } from '../cron/describe'
import type { FieldName, Item } from '../cron/types'
import type { SpanPart } from '../duration'

/** What each language has to say about schedules. */
export interface Language {
  /** Inside of a sentence: `on weekdays at 02:00`. */
  meaning(meaning: Meaning): string
  /** The same text standing alone: `Weekdays at 02:00`. */
  alone(text: string): string
  field(name: FieldName): string
  item(name: FieldName, item: Item): string
  list(words: string[]): string
  /** For what has no brief words. */
  fieldwise(parts: { name: FieldName; text: string }[]): string
  span(parts: SpanPart[]): string
  none: string
  noneInline: string
  rate(span: string): string
  delay(span: string): string
  once(at: string): string
  locale: string
}
