/** Parses expressions of both dialects. It follows `fastjob-core/src/schedule/cron/parse.rs`, so that
 * the form can say what is wrong, and in words what an expression means, before the coordinator answers. */

import { Fault, readField } from './field'
import type { Cron, CronProblem, Dialect, Field, FieldName, Parsed } from './types'
import { FIELDS, LONGEST } from './types'
import { unit } from './units'

const SHORT: Record<string, string> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

interface Place {
  from: number
  to: number
}

export function parseCron(text: string): Parsed {
  try {
    return { ok: true, cron: parse(text) }
  } catch (error) {
    if (error instanceof Fault) return { ok: false, error: error.error }
    throw error
  }
}

function parse(text: string): Cron {
  if (new TextEncoder().encode(text).length > LONGEST) throw fault({ kind: 'tooLong' }, LONGEST, text.length)
  const trimmed = text.trim()
  if (trimmed.startsWith('@')) return short(text, trimmed)
  const places = split(text)
  const count = places.length
  if (count === 0) throw fault({ kind: 'empty' }, 0, 0)
  if (count < 5) throw fault({ kind: 'count', count }, at(places, count - 1).to, at(places, count - 1).to)
  if (count > 7) throw fault({ kind: 'count', count }, at(places, 7).from, text.trimEnd().length)
  return count === 5 ? unix(text, places) : quartz(text, places)
}

function short(text: string, trimmed: string): Cron {
  const long = SHORT[trimmed.toLowerCase()]
  if (long) return { ...parse(long), text: trimmed, short: trimmed.toLowerCase() }
  const from = text.indexOf('@')
  const problem: CronProblem =
    trimmed.toLowerCase() === '@reboot' ? { kind: 'reboot' } : { kind: 'unknownShort', text: trimmed }
  throw fault(problem, from, from + trimmed.length)
}

function quartz(text: string, places: Place[]): Cron {
  const cron = read(text, places, 'quartz')
  const { day, weekday } = cron.fields
  const { from, to } = at(places, 5)
  if (day.text === '?' && weekday.text === '?') throw fault({ kind: 'noDays' }, from, to)
  if (!day.any && !weekday.any) throw fault({ kind: 'bothDays' }, from, to)
  return cron
}

function unix(text: string, places: Place[]): Cron {
  const cron = read(text, places, 'unix')
  return { ...cron, either: !cron.fields.day.star && !cron.fields.weekday.star }
}

function read(text: string, places: Place[], dialect: Dialect): Cron {
  const fields = {
    second: readField('0', 0, 1, unit('second', 'quartz')),
    year: readField('*', 0, 1, unit('year', 'quartz')),
  } as Record<FieldName, Field>
  places.forEach(({ from, to }, index) => {
    const name = FIELDS[dialect][index] as FieldName
    fields[name] = readField(text, from, to, unit(name, dialect))
  })
  return { text: text.trim(), dialect, short: null, fields, either: false }
}

/** The fields with their places. */
function split(text: string): Place[] {
  return [...text.matchAll(/[^\s]+/g)].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
  }))
}

function at(places: Place[], index: number): Place {
  return places[index] ?? { from: 0, to: 0 }
}

function fault(problem: CronProblem, from: number, to: number): Fault {
  return new Fault({ problem, from, to })
}
