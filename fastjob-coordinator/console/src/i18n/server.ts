/**
 * Messages of the coordinator in other languages. It answers in English, with a kind for programs (`type` of the
 * problem). A kind always has a title; messages that people meet often are recognized by their form, which also gives
 * their parameters. What is not recognized has the sentence of its kind. The original is shown below either.
 *
 * The English texts of `t.server.says` and of `t.reasons` are what the coordinator writes: a test fills them with what
 * their pattern found and compares. The patterns of `t.reasons` are made of their texts.
 */
import { type Dictionary, en } from './en'
import type { Format } from './format'
import { fill } from './text'

type Says = keyof Dictionary['server']['says']
type Kinds = Dictionary['server']['kinds']

const NAME = '`([^`]+)`'
/** What `(…)` finds is `{a}`, `{b}`, `{c}` in the text. */
const PATTERNS: Record<Says, string> = {
  noJob: `no job is named ${NAME}`,
  noTask: 'there is no task (\\d+)',
  noRevision: `${NAME} has no revision (\\d+), or it is no longer kept: the last (\\d+) are`,
  unreadable: `another release has saved revision (\\d+) of ${NAME}, and this one cannot read it: use that release`,
  noAttempt: '(?:.*)task (\\d+) has no attempt (\\d+)',
  noSilence: 'there is no silence (\\d+), or it has expired',
  silences: 'there are already (\\d+) silences',
  exists: `a job named ${NAME} already exists`,
  noChild: `its child ${NAME} does not exist: save it first`,
  isChild: 'it is a child of (.+): remove it from their children first',
  changed: `${NAME} was changed at the same time: try again`,
  stale: `${NAME} was changed since it was read: it is at revision (\\d+) now; read it again, and repeat the change`,
  goneMeanwhile: `there is no job ${NAME}, or no longer: nothing was changed`,
  noCode: `no executor has declared ${NAME} in its code`,
  tooLate: 'its only fire, (\\S+), is in the past, so it would never fire',
  jobDeleted: 'the job of task (\\d+) was deleted, so it cannot run again',
  lookAgain: 'it is unknown whether a task was already started with this key: try again',
  otherParam: `the key ${NAME} has started task (\\d+) with another param: use another key for another task`,
  notEnded:
    'task (\\d+) has not ended, and only a task that has ended runs again: wait for its end, or stop it first',
  noneFailed: 'task (\\d+) has succeeded: none of its shards failed',
  moved: 'another node now acts on it',
  unknownField: `unknown field ${NAME}, expected (.+)`,
  expected: 'found (.+), expected (.+)',
  outOfBounds: '(\\S+) is out of bounds, (\\S+) to (\\S+) are allowed',
  lastFailed: 'its last task failed',
  lastFailedAnd: 'its last task failed, and (\\d+) within a day',
  later: 'it must be later than from',
}

type Reason = keyof Dictionary['reasons']

/** A duration: `1h 30m`. */
const SPAN = '(\\d[^\\s;,:]*(?: \\d[^\\s;,:]*)*)'
/** What stands in the places of `t.reasons`, by their names; any text in the others. */
const PLACES: Record<string, string> = {
  n: '(\\d+)',
  m: '(\\d+)',
  k: '(\\d+)',
  for: SPAN,
  of: SPAN,
  at: '(\\S+)',
  to: '(\\S+)',
  state: '(\\w+)',
}

function patternOf(text: string): string {
  return text
    .split(/(`?\{\w+\}`?)/)
    .map((part) => {
      const [, tick, name] = /^(`?)\{(\w+)\}`?$/.exec(part) ?? []
      if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      return tick ? NAME : (PLACES[name] ?? '(.+)')
    })
    .join('')
}

interface Known {
  pattern: RegExp
  /** The names of what the pattern finds, in order. */
  places: string[]
  textIn: (t: Dictionary) => string
}

const whole = (pattern: string) => new RegExp(`^${pattern}$`, 's')
const KNOWN: Known[] = [
  ...(Object.entries(PATTERNS) as [Says, string][]).map(([says, pattern]) => ({
    pattern: whole(pattern),
    places: ['a', 'b', 'c'],
    textIn: (t: Dictionary) => t.server.says[says],
  })),
  ...(Object.entries(en.reasons) as [Reason, string][]).map(([reason, text]) => ({
    pattern: whole(patternOf(text)),
    places: [...text.matchAll(/\{(\w+)\}/g)].map((place) => place[1] ?? ''),
    textIn: (t: Dictionary) => t.reasons[reason],
  })),
]

/** What a message of the coordinator says, with its parameters; null if it is not one of those above. */
export function recognize(
  message: string,
): { textIn: (t: Dictionary) => string; values: Record<string, string> } | null {
  for (const { pattern, places, textIn } of KNOWN) {
    const found = pattern.exec(message)
    if (!found) continue
    const values = Object.fromEntries(
      found.slice(1).map((value, index) => [places[index] ?? '', value ?? '']),
    )
    return { textIn, values }
  }
  return null
}

/** Longer texts are what handlers report. */
const LONG = 1_000

/** A message in the language of the dictionary, with its times as the page shows them; null if it is not recognized. */
export function translated(message: string, t: Dictionary, f?: Pick<Format, 'near'>): string | null {
  const found = message.length > LONG ? null : recognize(message)
  if (!found) return null
  const shown = Object.entries(found.values).map(([place, value]) => {
    if (place === 'why' || place === 'also') return [place, translated(value, t, f) ?? value]
    if (place === 'state') return [place, (t.state as Record<string, string>)[value] ?? value]
    const isTime = (place === 'at' || place === 'to') && !Number.isNaN(Date.parse(value))
    return [place, isTime && f ? f.near(value) : value]
  })
  return fill(found.textIn(t), Object.fromEntries(shown) as Record<string, string>)
}

/** A message for people: translated where it is known, else as it came. In English, only its times change. */
export function messageIn(
  message: string,
  { t, f, language }: { t: Dictionary; f: Pick<Format, 'near'>; language: string },
): { text: string; original?: string } {
  const text = translated(message, t, f)
  if (text === null || text === message) return { text: message }
  return { text, ...(language !== 'en' && { original: message }) }
}

/** The title and the sentence of a kind of problem; undefined for one of a newer coordinator. */
export function kindWords(kind: string, t: Dictionary): { title: string; detail: string } | undefined {
  return (t.server.kinds as Record<string, Kinds[keyof Kinds]>)[kind.replaceAll('-', '_')]
}
