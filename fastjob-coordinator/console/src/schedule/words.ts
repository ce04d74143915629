/** Schedules in words, in both languages: `Weekdays at 02:00`, `每个工作日 02:00`. */

import type { ScheduleDraft } from '../api/types'
import type { Language as Lang } from '../lib/settings'
import { meaningOf } from './cron/describe'
import { parseCron } from './cron/parse'
import { type Cron, FIELDS, type Field, type FieldName } from './cron/types'
import { durationParts, parseDuration } from './duration'
import { en } from './say/en'
import type { Language } from './say/language'
import { zh } from './say/zh'

const LANGUAGES: Record<Lang, Language> = { en, zh }

/** The most characters of a text that goes field by field. */
const LONGEST = 160

/** A schedule, alone in a line. `zone` is the one in which an instant is shown. */
export function scheduleWords(
  schedule: string | ScheduleDraft | undefined,
  lang: Lang,
  zone?: string,
): string {
  const say = LANGUAGES[lang]
  return say.alone(inSentence(schedule, lang, zone))
}

/** A schedule within a sentence: `on weekdays at 02:00`. */
export function inSentence(
  schedule: string | ScheduleDraft | undefined,
  lang: Lang,
  zone?: string,
  full = false,
): string {
  const say = LANGUAGES[lang]
  if (schedule === undefined || typeof schedule === 'string') return full ? say.noneInline : say.none
  if (schedule.cron !== undefined) return cronWords(schedule.cron, lang) ?? schedule.cron
  if (schedule.fixed_rate !== undefined) return say.rate(spanWords(schedule.fixed_rate, lang))
  if (schedule.fixed_delay !== undefined) return say.delay(spanWords(schedule.fixed_delay, lang))
  if (schedule.once !== undefined) return say.once(instantWords(schedule.once, lang, zone))
  return full ? say.noneInline : say.none
}

/** A cron expression within a sentence; null if it is not one. */
export function cronWords(text: string, lang: Lang): string | null {
  const parsed = parseCron(text)
  if (!parsed.ok) return null
  const meaning = meaningOf(parsed.cron)
  return meaning ? LANGUAGES[lang].meaning(meaning) : fieldwise(parsed.cron, lang)
}

/** A cron expression, alone in a line; null if it is not one. */
export function cronSentence(text: string, lang: Lang): string | null {
  const words = cronWords(text, lang)
  return words === null ? null : LANGUAGES[lang].alone(words)
}

/** A duration: `1 h 30 min`. What is not a duration is left as it is. */
export function spanWords(text: string, lang: Lang): string {
  const millis = parseDuration(text)
  return millis === null ? text : millisWords(millis, lang)
}

export function millisWords(millis: number, lang: Lang): string {
  return LANGUAGES[lang].span(durationParts(millis))
}

/** One field: `every 10 minutes`, `Mon–Fri`. */
export function fieldWords(field: Field, lang: Lang): string {
  const say = LANGUAGES[lang]
  return say.list(field.items.map((item) => say.item(field.name, item)))
}

export const fieldName = (name: FieldName, lang: Lang): string => LANGUAGES[lang].field(name)

function fieldwise(cron: Cron, lang: Lang): string {
  const shown = FIELDS[cron.dialect]
    .map((name) => cron.fields[name])
    .filter((field) => !field.any && !(field.name === 'second' && field.text === '0'))
    .map((field) => ({ name: field.name, text: fieldWords(field, lang) }))
  const text = LANGUAGES[lang].fieldwise(shown)
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1).trimEnd()}…` : text
}

function instantWords(text: string, lang: Lang, zone?: string): string {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) return text
  const options: Intl.DateTimeFormatOptions = {
    ...{
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    },
    ...(at.getUTCSeconds() !== 0 && { second: '2-digit' }),
  }
  const { locale } = LANGUAGES[lang]
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone }).format(at)
  } catch {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }).format(at)
  }
}
