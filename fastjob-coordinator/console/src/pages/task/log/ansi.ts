/**
 * Text with ANSI escape sequences (ECMA-48) as runs of text with classes. Colours and weights are
 * kept; every other sequence is removed. The result is text only, never HTML.
 */

export interface Run {
  readonly text: string
  /** Class names, such as `ansi-red ansi-bold`; empty for plain text. */
  readonly className: string
}

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']

// A CSI sequence, an OSC sequence up to its end, or another escape of two characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are made of them
const SEQUENCE = /\u001b\[([0-9;:]*)([A-Za-z@`~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-_]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is shown as a symbol
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g

interface Style {
  colour: string | null
  bold: boolean
  dim: boolean
  underline: boolean
}

const PLAIN: Style = { colour: null, bold: false, dim: false, underline: false }

/** Control characters, and those that turn the direction of text, as visible symbols. */
export function visible(text: string): string {
  return text.replace(CONTROL, (c) => {
    const code = c.charCodeAt(0)
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd'
  })
}

/** The text without escape sequences: what a search looks at. */
export function plain(text: string): string {
  return text.includes('\u001b') ? visible(text.replace(SEQUENCE, '')) : visible(text)
}

export function runs(text: string): Run[] {
  if (!text.includes('\u001b')) {
    return [{ text: visible(text), className: '' }]
  }
  const found: Run[] = []
  let style = PLAIN
  let from = 0
  const push = (until: number) => {
    if (until > from) {
      found.push({ text: visible(text.slice(from, until)), className: classes(style) })
    }
  }
  for (const match of text.matchAll(SEQUENCE)) {
    push(match.index)
    from = match.index + match[0].length
    if (match[2] === 'm') {
      style = select(style, match[1] ?? '')
    }
  }
  push(text.length)
  return found
}

function classes(style: Style): string {
  const names: string[] = []
  if (style.colour) names.push(`ansi-${style.colour}`)
  if (style.bold) names.push('ansi-bold')
  if (style.dim) names.push('ansi-dim')
  if (style.underline) names.push('ansi-underline')
  return names.join(' ')
}

/** Applies the parameters of a "select graphic rendition" sequence. */
function select(before: Style, parameters: string): Style {
  const style = { ...before }
  const codes = parameters.split(/[;:]/).map((part) => (part === '' ? 0 : Number(part)))
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0
    if (code === 0) Object.assign(style, PLAIN)
    else if (code === 1) style.bold = true
    else if (code === 2) style.dim = true
    else if (code === 4) style.underline = true
    else if (code === 22) Object.assign(style, { bold: false, dim: false })
    else if (code === 24) style.underline = false
    else if (code >= 30 && code <= 37) style.colour = COLOURS[code - 30] ?? null
    else if (code >= 90 && code <= 97) style.colour = COLOURS[code - 90] ?? null
    else if (code === 39) style.colour = null
    // Colours of a palette or of RGB: their parameters are no codes of their own.
    else if (code === 38 || code === 48) i += codes[i + 1] === 2 ? 4 : 2
  }
  return style
}
