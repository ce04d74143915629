/** JSON as text. Numbers are never read as numbers, so that none loses its digits. */

export interface JsonError {
  line: number
  column: number
  message: string
}

/** Whether a text is meant to be JSON: it begins like an object, a list, or a text in quotes. */
export const looksLikeJson = (text: string): boolean => /^\s*[[{"]/.test(text)

/** Where a text stops being JSON; null if it is JSON. */
export function jsonError(text: string): JsonError | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const at = placeOf(text)
    const before = text.slice(0, at)
    const line = before.split('\n').length
    return { line, column: at - before.lastIndexOf('\n'), message }
  }
}

/** The first character at which no JSON can go on. Engines word their errors differently, and not all have a
 * position, so it is found by a small reader. */
function placeOf(text: string): number {
  const reader = new Reader(text)
  try {
    reader.space()
    reader.value(0)
    reader.space()
  } catch (error) {
    if (!(error instanceof Stop)) throw error
  }
  return Math.min(reader.at, text.length)
}

class Stop extends Error {}

const DEEPEST = 500

class Reader {
  at = 0
  constructor(readonly text: string) {}

  space() {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? '')) this.at += 1
  }

  value(depth: number): void {
    const sign = this.text[this.at]
    if (depth > DEEPEST) throw new Stop()
    if (sign === '{') this.list('}', () => this.member(depth))
    else if (sign === '[') this.list(']', () => this.value(depth + 1))
    else if (sign === '"') this.string()
    else this.word(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y)
  }

  private member(depth: number) {
    this.string()
    this.space()
    if (this.text[this.at] !== ':') throw new Stop()
    this.at += 1
    this.space()
    this.value(depth + 1)
  }

  private list(end: string, item: () => void) {
    this.at += 1
    this.space()
    if (this.text[this.at] === end) {
      this.at += 1
      return
    }
    for (;;) {
      item()
      this.space()
      const sign = this.text[this.at]
      if (sign !== ',' && sign !== end) throw new Stop()
      this.at += 1
      if (sign === end) return
      this.space()
    }
  }

  private string() {
    if (this.text[this.at] !== '"') throw new Stop()
    this.at += 1
    for (;;) {
      const sign = this.text[this.at]
      if (sign === undefined || sign < ' ') throw new Stop()
      if (sign === '"') break
      if (sign === '\\') this.word(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y)
      else this.at += 1
    }
    this.at += 1
  }

  private word(pattern: RegExp) {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (!found) throw new Stop()
    this.at += found[0].length
  }
}

/** JSON without its white space; a text that is not JSON as it is. */
export function compact(text: string): string {
  if (jsonError(text)) return text
  return pieces(text).join('')
}

/** JSON set out over lines, with the numbers as they were written. */
export function pretty(text: string): string {
  if (jsonError(text)) return text
  let indent = 0
  let out = ''
  const all = pieces(text)
  all.forEach((piece, index) => {
    const opens = piece === '{' || piece === '['
    const closes = piece === '}' || piece === ']'
    const before = all[index - 1]
    const empty = closes && (before === '{' || before === '[')
    if (closes) indent -= 1
    if (closes && !empty) out += `\n${'  '.repeat(indent)}`
    out += piece
    if (opens) indent += 1
    const next = all[index + 1]
    if (piece === ':') out += ' '
    else if (piece === ',' || (opens && next !== '}' && next !== ']')) out += `\n${'  '.repeat(indent)}`
  })
  return out
}

function pieces(text: string): string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? []
}
