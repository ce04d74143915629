/** Cron expressions as `fastjob-core` reads them: Unix with five fields, Quartz with six or seven. */

export type Dialect = 'unix' | 'quartz'

export type FieldName = 'second' | 'minute' | 'hour' | 'day' | 'month' | 'weekday' | 'year'

/** One part of a field, between commas. Weekdays are counted from 0, Sunday, in both dialects. */
export type Item =
  | { kind: 'any' }
  /** Every value that is `step` after the last one; `from` is null for `*`, `to` is null for an open end. */
  | { kind: 'step'; from: number | null; to: number | null; step: number }
  | { kind: 'value'; value: number }
  | { kind: 'range'; from: number; to: number }
  /** `L`, `L-3`, `LW`, `L-3W` of the day of month. */
  | { kind: 'last'; back: number; workday: boolean }
  /** `15W`: the workday nearest to the day. */
  | { kind: 'near'; day: number }
  /** `6L`: the last of a weekday in the month. */
  | { kind: 'lastOf'; weekday: number }
  /** `6#3`: the third of a weekday in the month. */
  | { kind: 'nth'; weekday: number; nth: number }

export interface Field {
  name: FieldName
  text: string
  items: Item[]
  /** The plain values in order; those that `L`, `W` and `#` add are not in it. */
  values: number[]
  /** Whether it is exactly `*` or `?`. */
  any: boolean
  /** Whether it starts with `*`, which decides how the day fields of Unix cron are combined. */
  star: boolean
}

export interface Cron {
  text: string
  dialect: Dialect
  /** The abbreviation, such as `@daily`, if it is one. */
  short: string | null
  fields: Record<FieldName, Field>
  /** Unix: a day that matches one of the day fields is enough. */
  either: boolean
}

export type CronProblem =
  | { kind: 'empty' }
  | { kind: 'tooLong' }
  | { kind: 'count'; count: number }
  | { kind: 'range'; unit: FieldName; value: string; min: number; max: number }
  | { kind: 'word'; unit: FieldName; word: string; allowed: string }
  | { kind: 'missing'; unit: FieldName; allowed: string }
  | { kind: 'step'; unit: FieldName; value: string; max: number }
  | { kind: 'nth'; value: string }
  | { kind: 'beforeLast'; value: string }
  | { kind: 'backwards'; from: number; to: number }
  | { kind: 'unexpected'; unit: FieldName; sign: string; allowed: string }
  | { kind: 'notHere'; unit: FieldName; sign: string; only: FieldName[] }
  | { kind: 'onlyQuartz'; sign: string }
  | { kind: 'notAlone' }
  | { kind: 'bothDays' }
  | { kind: 'noDays' }
  | { kind: 'reboot' }
  | { kind: 'unknownShort'; text: string }

/** What is wrong, and at which characters. */
export interface CronError {
  problem: CronProblem
  from: number
  to: number
}

export type Parsed = { ok: true; cron: Cron } | { ok: false; error: CronError }

export const FIELDS: Record<Dialect, FieldName[]> = {
  unix: ['minute', 'hour', 'day', 'month', 'weekday'],
  quartz: ['second', 'minute', 'hour', 'day', 'month', 'weekday', 'year'],
}

export const LONGEST = 256
