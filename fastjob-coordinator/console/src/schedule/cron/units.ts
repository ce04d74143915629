import type { Dialect, FieldName } from './types'

/** What a field accepts. */
export interface Unit {
  name: FieldName
  /** The numbers that may be written. */
  min: number
  max: number
  /** How many different values there are: Unix writes Sunday as 0 and as 7. */
  size: number
  /** What is taken off a written number to get the value that `Item` has. */
  shift: number
  names: readonly string[]
  quartz: boolean
}

export const MONTH_NAMES = [
  'JAN',
  'FEB',
  'MAR',
  'APR',
  'MAY',
  'JUN',
  'JUL',
  'AUG',
  'SEP',
  'OCT',
  'NOV',
  'DEC',
]
export const WEEKDAY_NAMES = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

const plain = { shift: 0, names: [] as readonly string[] }

const QUARTZ: Record<FieldName, Omit<Unit, 'name' | 'quartz'>> = {
  second: { ...plain, min: 0, max: 59, size: 60 },
  minute: { ...plain, min: 0, max: 59, size: 60 },
  hour: { ...plain, min: 0, max: 23, size: 24 },
  day: { ...plain, min: 1, max: 31, size: 31 },
  month: { ...plain, min: 1, max: 12, size: 12, names: MONTH_NAMES },
  weekday: { min: 1, max: 7, size: 7, shift: 1, names: WEEKDAY_NAMES },
  year: { ...plain, min: 1970, max: 2199, size: 230 },
}

export function unit(name: FieldName, dialect: Dialect): Unit {
  const of = QUARTZ[name]
  if (dialect === 'quartz') return { ...of, name, quartz: true }
  return name === 'weekday'
    ? { ...of, min: 0, max: 7, shift: 0, name, quartz: false }
    : { ...of, name, quartz: false }
}

/** The values that a message offers: `0–59`, `1–12, JAN–DEC`. */
export function allowed({ min, max, names }: Unit): string {
  const words = names.length > 0 ? `, ${names[0]}–${names[names.length - 1]}` : ''
  return `${min}–${max}${words}`
}
