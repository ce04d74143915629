/** A definition as `fastjob job apply` reads it from a file. */

import type { JobDraft, Json } from '../../../api/types'
import { jsonError, looksLikeJson } from './json'

/** One field of the file, so that the preview can set its name apart. */
export interface TomlLine {
  name: string
  value: string
}

export function tomlLines(draft: JobDraft): TomlLine[] {
  const lines: TomlLine[] = []
  for (const [name, value] of Object.entries(draft) as [string, Json | undefined][]) {
    if (value === undefined || value === null) continue
    const shown = name === 'param' ? param(value) : text(value)
    if (shown !== null) lines.push({ name: key(name), value: shown })
  }
  return lines
}

export function toToml(draft: JobDraft): string {
  return ['[[job]]', ...tomlLines(draft).map(({ name, value }) => `${name} = ${value}`), ''].join('\n')
}

/** A param is stored as text. JSON in it becomes a table where that changes nothing. */
function param(value: Json): string | null {
  if (typeof value !== 'string') return text(value) ?? quoted(JSON.stringify(value))
  if (!looksLikeJson(value) || value.trimStart().startsWith('"') || jsonError(value)) return quoted(value)
  const parsed = JSON.parse(value) as Json
  // A number that JavaScript cannot hold, or spells otherwise, and keys that occur twice.
  return JSON.stringify(parsed) === value ? (text(parsed) ?? quoted(value)) : quoted(value)
}

/** A value; null if TOML has none for it. */
function text(value: Json): string | null {
  if (value === null) return null
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return numberText(value)
  if (Array.isArray(value)) {
    const items = value.map(text)
    return items.includes(null) ? null : `[${items.join(', ')}]`
  }
  const entries = Object.entries(value).map(([name, one]) => [key(name), text(one)] as const)
  if (entries.some(([, one]) => one === null)) return null
  if (entries.length === 0) return '{}'
  return `{ ${entries.map(([name, one]) => `${name} = ${one}`).join(', ')} }`
}

/** The factor of a retry is a float in the file, too: the reader takes whole numbers for it as well. */
const numberText = (value: number) => String(value).replace('e+', 'e')

const key = (name: string) => (/^[A-Za-z0-9_-]+$/.test(name) ? name : quoted(name))

function quoted(value: string): string {
  const control = [...value].some(isControl)
  // A literal text needs no escapes, which JSON and regular expressions are full of.
  if (/["\\]/.test(value) && !control && !value.includes("'")) return `'${value}'`
  const escaped = [...value.replace(/[\\"]/g, '\\$&')].map((sign) => {
    if (!isControl(sign)) return sign
    return ESCAPES[sign] ?? `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `"${escaped.join('')}"`
}

const isControl = (sign: string) => sign < ' ' || sign === '\u007f'

const ESCAPES: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }
