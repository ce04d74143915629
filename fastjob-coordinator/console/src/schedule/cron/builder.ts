/** Between an expression and the tabs of the builder: what each field does, and an expression in which one
 * field does something else. What the builder has no control for stays as it was written. */

import { runs } from './describe'
import { parseCron } from './parse'
import { type Cron, type Dialect, FIELDS, type Field, type FieldName } from './types'
import { MONTH_NAMES, unit, WEEKDAY_NAMES } from './units'

export type Mode =
  | { kind: 'every' }
  | { kind: 'step'; from: number; step: number }
  | { kind: 'range'; from: number; to: number }
  | { kind: 'list'; values: number[] }
  | { kind: 'last'; back: number; workday: boolean }
  | { kind: 'near'; day: number }
  | { kind: 'lastOf'; weekday: number }
  | { kind: 'nth'; weekday: number; nth: number }
  | { kind: 'text'; text: string }

export type ModeKind = Mode['kind']

/** What the builder begins with. */
export const DAILY = '0 0 2 * * ?'

/** The kinds that a field can have. */
export function kindsOf(name: FieldName, dialect: Dialect): ModeKind[] {
  if (name === 'day')
    return dialect === 'unix' ? ['every', 'step', 'list'] : ['every', 'step', 'list', 'last', 'near']
  if (name === 'weekday') return dialect === 'unix' ? ['every', 'list'] : ['every', 'list', 'nth', 'lastOf']
  if (name === 'month') return ['every', 'list']
  return ['every', 'step', 'range', 'list']
}

export function modeOf(field: Field): Mode {
  const [item] = field.items
  if (field.any || !item) return { kind: 'every' }
  if (field.items.length === 1) {
    if (item.kind === 'last' || item.kind === 'near' || item.kind === 'lastOf' || item.kind === 'nth')
      return item
    if (item.kind === 'step' && item.to === null) {
      return { kind: 'step', from: item.from ?? field.values[0] ?? 0, step: item.step }
    }
    const isTime =
      field.name === 'second' || field.name === 'minute' || field.name === 'hour' || field.name === 'year'
    if (item.kind === 'range' && isTime) return { kind: 'range', from: item.from, to: item.to }
  }
  const plain = field.items.every(({ kind }) => kind === 'value' || kind === 'range')
  return plain ? { kind: 'list', values: field.values } : { kind: 'text', text: field.text }
}

/** What a field does at first when a kind is chosen. */
export function startOf(kind: ModeKind, name: FieldName, before: Field | undefined): Mode {
  const least = unit(name, 'quartz').min - unit(name, 'quartz').shift
  const first = before?.values[0] ?? least
  switch (kind) {
    case 'every':
      return { kind }
    case 'step':
      return { kind, from: name === 'year' ? first : least, step: name === 'hour' || name === 'day' ? 2 : 5 }
    case 'range':
      return name === 'hour' ? { kind, from: 9, to: 17 } : { kind, from: first, to: unit(name, 'quartz').max }
    case 'list': {
      const few = before && before.values.length > 0 && before.values.length < unit(name, 'quartz').size
      return { kind, values: few ? before.values : [name === 'weekday' ? 1 : least] }
    }
    case 'last':
      return { kind, back: 0, workday: false }
    case 'near':
      return { kind, day: 15 }
    case 'lastOf':
      return { kind, weekday: 5 }
    case 'nth':
      return { kind, weekday: 1, nth: 1 }
    case 'text':
      return { kind, text: before?.text ?? '*' }
  }
}

function name(field: FieldName, value: number): string {
  if (field === 'weekday') return WEEKDAY_NAMES[value % 7] ?? ''
  return String(value)
}

function textOf(field: FieldName, mode: Mode): string {
  const say = (value: number) => name(field, value)
  switch (mode.kind) {
    case 'every':
      return '*'
    case 'step':
      return `${mode.from}/${mode.step}`
    case 'range':
      return `${say(mode.from)}-${say(mode.to)}`
    case 'list': {
      if (mode.values.length === 0) return '*'
      // Weekdays are joined from Monday on: MON-FRI, SAT-SUN.
      const shift = field === 'weekday' ? 6 : 0
      const size = field === 'weekday' ? 7 : 10_000
      const sorted = mode.values.map((value) => (value + shift) % size).sort((a, b) => a - b)
      const back = (value: number) => say((value + size - shift) % size)
      return runs(sorted)
        .map(({ from, to }) => (from === to ? back(from) : `${back(from)}-${back(to)}`))
        .join(',')
    }
    case 'last':
      return `L${mode.back > 0 ? `-${mode.back}` : ''}${mode.workday ? 'W' : ''}`
    case 'near':
      return `${mode.day}W`
    case 'lastOf':
      return `${say(mode.weekday)}L`
    case 'nth':
      return `${say(mode.weekday)}#${mode.nth}`
    case 'text':
      return mode.text
  }
}

/** The fields of an expression, also of one with an error in it; those of `DAILY` if there are too few. */
export function fieldTexts(text: string): { dialect: Dialect; texts: string[] } {
  const parsed = parseCron(text)
  if (parsed.ok && parsed.cron.short) {
    const { fields } = parsed.cron
    return { dialect: 'unix', texts: FIELDS.unix.map((field) => fields[field].text) }
  }
  const texts = text.trim().split(/\s+/)
  if (texts.length === 5) return { dialect: 'unix', texts }
  if (texts.length === 6 || texts.length === 7) return { dialect: 'quartz', texts }
  return { dialect: 'quartz', texts: DAILY.split(' ') }
}

/** The expression in which a field does what the mode says. */
export function withMode(text: string, field: FieldName, mode: Mode): string {
  const { dialect, texts } = fieldTexts(text)
  const at = (of: FieldName) => FIELDS[dialect].indexOf(of)
  if (field === 'year' && mode.kind === 'every') return texts.slice(0, 6).join(' ')
  const next = [...texts]
  if (dialect === 'unix') {
    const word = textOf(field, mode)
    // Unix has no `a/n` without an end in every implementation: `*/n`, or a range.
    const { max } = unit(field, 'unix')
    next[at(field)] =
      mode.kind !== 'step'
        ? word
        : isLeast(field, mode.from)
          ? `*/${mode.step}`
          : `${mode.from}-${max}/${mode.step}`
    return next.join(' ')
  }
  next[at(field)] = textOf(field, mode)
  if (field === 'day' || field === 'weekday') fitDays(next, at('day'), at('weekday'), field === 'day')
  return next.join(' ')
}

const isLeast = (field: FieldName, value: number) => value === unit(field, 'unix').min

/** Quartz: one of the two day fields says nothing. */
function fitDays(texts: string[], day: number, weekday: number, dayChanged: boolean) {
  const [changed, other] = dayChanged ? [day, weekday] : [weekday, day]
  const says = (index: number) => texts[index] !== '*' && texts[index] !== '?'
  if (says(changed)) texts[other] = '?'
  else if (says(other)) texts[changed] = '?'
  else {
    texts[day] = '*'
    texts[weekday] = '?'
  }
}

/** The same in the fields of Quartz; null if they cannot say it. */
export function toQuartz(cron: Cron): string | null {
  const { minute, hour, day, month, weekday } = cron.fields
  if (cron.dialect === 'quartz') return cron.text
  if (!day.any && !weekday.any) return null
  const mode = modeOf(weekday)
  const week = weekday.any ? '?' : mode.kind === 'text' ? null : textOf('weekday', mode)
  return week && ['0', minute.text, hour.text, weekday.any ? day.text : '?', month.text, week].join(' ')
}

export type Preset = 'minutely' | 'hourly' | 'daily' | 'weekdays' | 'weekly' | 'monthly' | 'monthEnd'
export const PRESETS: Preset[] = ['minutely', 'hourly', 'daily', 'weekdays', 'weekly', 'monthly', 'monthEnd']

/** The expression of a preset, at the time of day that there was. */
export function presetText(preset: Preset, before: string): string {
  const parsed = parseCron(before)
  const single = (field: FieldName, otherwise: number) => {
    const values = parsed.ok ? parsed.cron.fields[field].values : []
    return values.length === 1 ? values[0] : otherwise
  }
  const minute = single('minute', 0)
  const time = `${minute} ${single('hour', 2)}`
  switch (preset) {
    case 'minutely':
      return '0 * * * * ?'
    case 'hourly':
      return `0 ${minute} * * * ?`
    case 'daily':
      return `0 ${time} * * ?`
    case 'weekdays':
      return `0 ${time} ? * MON-FRI`
    case 'weekly':
      return `0 ${time} ? * MON`
    case 'monthly':
      return `0 ${time} 1 * ?`
    case 'monthEnd':
      return `0 ${time} L * ?`
  }
}

/** The preset that an expression is. */
export function presetOf(text: string): Preset | null {
  const parsed = parseCron(text)
  const quartz = parsed.ok ? toQuartz(parsed.cron) : null
  return PRESETS.find((preset) => quartz !== null && presetText(preset, quartz) === quartz) ?? null
}

export const monthNumbers = MONTH_NAMES.map((_, index) => index + 1)
