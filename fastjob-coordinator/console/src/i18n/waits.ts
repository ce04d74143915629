/**
 * What tasks wait for, and what needs attention, in other languages. The coordinator writes sentences made of parts, such
 * as "its turn: task 7 runs, 1 waits before it". The English texts are the patterns by which the parts are recognized.
 */
import type { Dictionary } from './en'
import { en } from './en'
import { fill } from './text'

type Part = keyof Dictionary['waits']

/** A pattern with a group for each placeholder. In backticks, a name ends with them. */
function compile(text: string): RegExp {
  const literal = text.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
  const source = literal
    .replace(/`\{(\w+)\}`/g, '`(?<$1>[^`]+)`')
    .replace(/\{why\}/g, '(?<why>.+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^,;`]+?)')
  return new RegExp(`^${source}$`, 's')
}

const COMPILED = (Object.entries(en.waits) as [Part, string][]).map(
  ([part, text]) => [part, compile(text)] as const,
)

/** The message in the language of the dictionary; null if a part of it is not recognized. */
export function waitsFor(message: string, t: Dictionary): string | null {
  for (const [part, pattern] of COMPILED) {
    const found = pattern.exec(message)
    if (!found) continue
    const values = found.groups ?? {}
    if (values.why === undefined) return fill(t.waits[part], values)
    const why = waitsFor(values.why, t)
    return why === null ? null : fill(t.waits[part], { ...values, why })
  }
  return null
}
