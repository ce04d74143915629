/** The members of a param as texts of JSON, so that the form changes one and leaves the others as they were
 * written, numbers with many digits included. */

import { jsonError } from '../../pages/editor/model/json'
import type { SchemaField, SimpleType } from './schema'

/** Each member with its value as JSON. */
export type Members = Map<string, string>

/** The members of an object; an empty text has none, and null means that it is not an object. */
export function readMembers(text: string): Members | null {
  const trimmed = text.trim()
  if (trimmed === '') return new Map()
  if (!trimmed.startsWith('{') || jsonError(trimmed)) return null
  const members: Members = new Map()
  let depth = 0
  let start = 0
  let name: string | null = null
  for (const match of trimmed.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const [sign] = match
    const end = match.index
    if (sign === '{' || sign === '[') {
      depth += 1
      if (depth === 1) start = end + 1
    } else if (depth === 1 && sign === ':' && name === null) {
      name = JSON.parse(trimmed.slice(start, end)) as string
      start = end + 1
    } else if (depth === 1 && (sign === ',' || sign === '}')) {
      if (name !== null) members.set(name, trimmed.slice(start, end).trim())
      name = null
      start = end + 1
      if (sign === '}') depth -= 1
    } else if (sign === '}' || sign === ']') depth -= 1
  }
  return members
}

export function writeMembers(members: Members): string {
  if (members.size === 0) return ''
  const lines = [...members].map(([name, value]) => `  ${JSON.stringify(name)}: ${value}`)
  return `{\n${lines.join(',\n')}\n}`
}

/** What a field shows of its value; null if the value is of another type. */
export function shown(field: SchemaField, json: string | undefined): string | null {
  if (json === undefined || json === 'null') return ''
  if (field.type === 'list') {
    const list = parse(json)
    if (!Array.isArray(list)) return null
    const items = list.map((item) => simpleText(field.item, JSON.stringify(item)))
    return items.includes(null) ? null : items.join('\n')
  }
  return simpleText(field.type, json)
}

function simpleText(type: SimpleType, json: string): string | null {
  if (type === 'choice' || type === 'boolean') return json
  if (type === 'string') {
    const value = parse(json)
    return typeof value === 'string' ? value : null
  }
  return /^-?\d/.test(json) ? json : null
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

export type FieldError = 'missing' | 'integer' | 'number' | 'least' | 'most' | 'choice'

/** The value of what was typed: JSON, `undefined` to leave the field out, or what is wrong. */
export function typedValue(field: SchemaField, typed: string): { json?: string; error?: FieldError } {
  if (field.type === 'list') {
    const lines = typed.split('\n').filter((line) => line.trim() !== '')
    if (lines.length === 0) return field.required ? { json: '[]' } : {}
    const items = lines.map((line) => simple(field, field.item, line.trim()))
    const wrong = items.find(({ error }) => error)
    return wrong?.error ? { error: wrong.error } : { json: `[${items.map(({ json }) => json).join(', ')}]` }
  }
  if (typed === '' && field.type !== 'string') return field.required ? { error: 'missing' } : {}
  if (typed === '' && !field.required) return {}
  return simple(field, field.type, typed)
}

function simple(field: SchemaField, type: SimpleType, text: string): { json?: string; error?: FieldError } {
  if (type === 'string') return { json: JSON.stringify(text) }
  if (type === 'boolean') return { json: text }
  if (type === 'choice') {
    const found = field.choices.find(({ json, label }) => json === text || label === text)
    return found ? { json: found.json } : { error: 'choice' }
  }
  const number = text.trim()
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(number))
    return { error: type === 'integer' ? 'integer' : 'number' }
  if (type === 'integer' && !/^-?\d+$/.test(number)) return { error: 'integer' }
  if (field.min !== null && Number(number) < field.min) return { json: number, error: 'least' }
  if (field.max !== null && Number(number) > field.max) return { json: number, error: 'most' }
  return { json: number }
}

/** What is wrong with each field of a param. */
export function fieldErrors(fields: SchemaField[], members: Members): Map<string, FieldError> {
  const found = new Map<string, FieldError>()
  for (const field of fields) {
    const json = members.get(field.name)
    if (json === undefined) {
      if (field.required && field.default === null) found.set(field.name, 'missing')
      continue
    }
    const text = shown(field, json)
    if (text === null || (json === 'null' && field.nullable)) continue
    const { error } = typedValue(field, text)
    if (error) found.set(field.name, error)
  }
  return found
}
