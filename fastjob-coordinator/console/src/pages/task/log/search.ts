/** Search in lines: as text, upper and lower case alike, or as a regular expression. */

export interface Range {
  readonly from: number
  readonly to: number
}

export type Matcher = (text: string) => Range[]

export interface InvalidPattern {
  readonly invalid: string
}

/** A regular expression looks at this much of a line: one that backtracks must not block the page. */
const REGEX_LENGTH = 2_000
/** Matches of one line. */
const RANGES = 100

/** The matcher of a query; null if there is none. */
export function matcher(query: string, regex: boolean): Matcher | InvalidPattern | null {
  if (query === '') {
    return null
  }
  if (!regex) {
    const wanted = query.toLowerCase()
    return (text) => {
      const lower = text.toLowerCase()
      // A few characters change their length: then positions would not be those of the text.
      const within = lower.length === text.length ? lower : text
      const found: Range[] = []
      let at = within.indexOf(wanted)
      while (at >= 0 && found.length < RANGES) {
        found.push({ from: at, to: at + wanted.length })
        at = within.indexOf(wanted, at + wanted.length)
      }
      return found
    }
  }
  let pattern: RegExp
  try {
    pattern = new RegExp(query, 'giu')
  } catch (error) {
    return { invalid: error instanceof Error ? error.message : String(error) }
  }
  return (text) => {
    const found: Range[] = []
    for (const match of text.slice(0, REGEX_LENGTH).matchAll(pattern)) {
      if (match[0].length > 0 && found.length < RANGES) {
        found.push({ from: match.index, to: match.index + match[0].length })
      }
    }
    return found
  }
}
