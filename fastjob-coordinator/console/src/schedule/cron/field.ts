/** Reads one field of an expression. It follows `fastjob-core/src/schedule/cron/field.rs`. */

import type { CronError, CronProblem, Field, FieldName, Item } from './types'
import { allowed, type Unit } from './units'

/** Thrown inside the parser alone. */
export class Fault {
  constructor(readonly error: CronError) {}
}

const DIGIT = /[0-9]/
const LETTER = /[a-z]/i

export function readField(text: string, from: number, to: number, unit: Unit): Field {
  const word = text.slice(from, to)
  const field: Field = {
    name: unit.name,
    text: word,
    items: [],
    values: [],
    any: word === '*' || word === '?',
    star: word.startsWith('*'),
  }
  if (word === '?' && unit.quartz && isDay(unit.name)) {
    field.items.push({ kind: 'any' })
  } else {
    const reader = new Reader(text, from, to, unit)
    field.items.push(reader.item())
    while (reader.take(',')) field.items.push(reader.item())
    if (reader.at < to) throw reader.stray()
  }
  field.values = values(field.items, unit)
  return field
}

const isDay = (name: FieldName) => name === 'day' || name === 'weekday'

/** The plain values of the items. */
function values(items: Item[], unit: Unit): number[] {
  const min = unit.min - unit.shift
  const found = new Set<number>()
  const add = (value: number) => found.add(min + ((value - min) % unit.size))
  const span = (from: number, to: number, step: number) => {
    const length = from <= to ? to - from : (to + unit.size - from) % unit.size
    for (let index = 0; index <= length; index += step) add(from + index)
  }
  const last = min + unit.size - 1
  for (const item of items) {
    if (item.kind === 'any') span(min, last, 1)
    else if (item.kind === 'step') span(item.from ?? min, item.to ?? last, item.step)
    else if (item.kind === 'range') span(item.from, item.to, 1)
    else if (item.kind === 'value') add(item.value)
  }
  return [...found].sort((a, b) => a - b)
}

class Reader {
  constructor(
    readonly text: string,
    public at: number,
    readonly end: number,
    readonly unit: Unit,
  ) {}

  item(): Item {
    const sign = this.peek()
    if (sign === '*') {
      this.at += 1
      const step = this.step()
      return step === null || step === 1 ? { kind: 'any' } : { kind: 'step', from: null, to: null, step }
    }
    if (sign === '/' && this.unit.quartz) {
      return { kind: 'step', from: null, to: null, step: this.step() ?? 1 }
    }
    if (sign && LETTER.test(sign) && this.unit.quartz) {
      const last = this.last()
      if (last) return last
    }
    return this.range()
  }

  private range(): Item {
    const start = this.at
    const from = this.value()
    const to = this.take('-') ? this.value() : null
    const written = this.at
    const step = this.step()
    if (to !== null && from > to && this.unit.name === 'year') {
      throw this.fault({ kind: 'backwards', from, to }, start, written)
    }
    if (step !== null) return { kind: 'step', from, to, step }
    if (to !== null) return { kind: 'range', from, to }
    return (this.unit.quartz && this.mark(from)) || { kind: 'value', value: from }
  }

  /** A symbol of Quartz after a value: `15W`, `6L`, `6#3`. */
  private mark(value: number): Item | null {
    const sign = this.peek()?.toUpperCase()
    if (this.unit.name === 'day' && sign === 'W') {
      this.at += 1
      return { kind: 'near', day: value }
    }
    if (this.unit.name === 'weekday' && sign === 'L') {
      this.at += 1
      return { kind: 'lastOf', weekday: value }
    }
    if (this.unit.name !== 'weekday' || sign !== '#') return null
    const start = this.at
    this.at += 1
    const digits = this.run(DIGIT)
    if (!digits) throw this.missing()
    const nth = Number(digits)
    if (nth < 1 || nth > 5) throw this.fault({ kind: 'nth', value: digits }, start, this.at)
    return { kind: 'nth', weekday: value, nth }
  }

  /** `L` and what may follow it. */
  private last(): Item | null {
    const start = this.at
    const word = this.run(LETTER).toUpperCase()
    if (this.unit.name === 'weekday' && word === 'L') return { kind: 'value', value: 6 }
    if (this.unit.name === 'day' && word === 'LW') return { kind: 'last', back: 0, workday: true }
    if (this.unit.name === 'day' && word === 'L') {
      if (!this.take('-')) return { kind: 'last', back: 0, workday: false }
      const digits = this.run(DIGIT)
      if (!digits) throw this.missing()
      const back = Number(digits)
      if (back > 30) throw this.fault({ kind: 'beforeLast', value: digits }, start, this.at)
      return { kind: 'last', back, workday: this.take('W') || this.take('w') }
    }
    this.at = start
    return null
  }

  /** A number or a name, without the shift of its unit. */
  private value(): number {
    const { at: start, unit } = this
    const digits = this.run(DIGIT)
    if (digits) {
      const value = Number(digits)
      if (value >= unit.min && value <= unit.max) return value - unit.shift
      const { name, min, max } = unit
      throw this.fault({ kind: 'range', unit: name, value: digits, min, max }, start, this.at)
    }
    const word = this.run(LETTER)
    if (!word) {
      const sign = this.peek()
      throw sign === undefined || ',-/'.includes(sign) ? this.missing() : this.stray()
    }
    const upper = word.toUpperCase()
    const named = (name: string) => unit.names.indexOf(name)
    const index = named(upper)
    if (index >= 0) return unit.min - unit.shift + index
    // `FRIL`: the `L` is left for the caller.
    const without = upper.endsWith('L') && unit.name === 'weekday' ? named(upper.slice(0, -1)) : -1
    if (without >= 0) {
      this.at -= 1
      return unit.min - unit.shift + without
    }
    if (['L', 'W', 'LW'].includes(upper)) {
      this.at = start
      throw this.stray()
    }
    throw this.fault({ kind: 'word', unit: unit.name, word, allowed: allowed(unit) }, start, this.at)
  }

  private step(): number | null {
    if (!this.take('/')) return null
    const { at: start, unit } = this
    const digits = this.run(DIGIT)
    if (!digits) {
      const sign = this.peek()
      throw sign === undefined || sign === ',' ? this.missing() : this.stray()
    }
    const max = unit.name === 'year' ? unit.size : unit.max
    const step = Number(digits)
    if (step >= 1 && step <= max) return step
    throw this.fault({ kind: 'step', unit: unit.name, value: digits, max }, start, this.at)
  }

  private peek(): string | undefined {
    return this.at < this.end ? this.text[this.at] : undefined
  }

  take(sign: string): boolean {
    const found = this.peek() === sign
    if (found) this.at += 1
    return found
  }

  private run(fits: RegExp): string {
    const start = this.at
    for (let sign = this.peek(); sign && fits.test(sign); sign = this.peek()) this.at += 1
    return this.text.slice(start, this.at)
  }

  private fault(problem: CronProblem, from: number, to: number): Fault {
    return new Fault({ problem, from, to })
  }

  private missing(): Fault {
    const problem: CronProblem = { kind: 'missing', unit: this.unit.name, allowed: allowed(this.unit) }
    return this.fault(problem, this.at, this.at)
  }

  /** Rejects the next character. */
  stray(): Fault {
    const sign = [...this.text.slice(this.at, this.end)][0]
    if (sign === undefined) return this.missing()
    const { name, quartz } = this.unit
    const upper = sign.toUpperCase()
    const fault = (problem: CronProblem) => this.fault(problem, this.at, this.at + sign.length)
    if (!quartz && '?LW#'.includes(upper)) return fault({ kind: 'onlyQuartz', sign })
    const only = (fields: FieldName[]) => fault({ kind: 'notHere', unit: name, sign, only: fields })
    if ((upper === '?' || upper === 'L') && !isDay(name)) return only(['day', 'weekday'])
    if (upper === 'W' && name !== 'day') return only(['day'])
    if (upper === '#' && name !== 'weekday') return only(['weekday'])
    if (upper === '?') return fault({ kind: 'notAlone' })
    return fault({ kind: 'unexpected', unit: name, sign, allowed: allowed(this.unit) })
  }
}
