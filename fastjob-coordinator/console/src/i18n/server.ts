/**
 * Messages of the coordinator in other languages. It answers in English, with a kind for programs (`type` of the
 * problem). A kind always has a title; messages that people meet often are recognized by their form, which also gives
 * their parameters. What is not recognized has the sentence of its kind. The original is shown below either.
 *
 * The English texts of `t.server.says` are what the coordinator writes: a test fills them with what their pattern found
 * and compares.
 */
import type { Dictionary } from './en'
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
const COMPILED = (Object.entries(PATTERNS) as [Says, string][]).map(
  ([says, pattern]) => [says, new RegExp(`^${pattern}$`, 's')] as const,
)

/** What a message of the coordinator says, with its parameters; null if it is not one of those above. */
export function recognize(message: string): { says: Says; values: Record<string, string> } | null {
  for (const [says, pattern] of COMPILED) {
    const found = pattern.exec(message)
    if (!found) continue
    const values = Object.fromEntries(found.slice(1).map((value, index) => ['abc'[index] ?? '', value ?? '']))
    return { says, values }
  }
  return null
}

/** A message in the language of the dictionary; null if it is not recognized. */
export function translated(message: string, t: Dictionary): string | null {
  const found = recognize(message)
  return found && fill(t.server.says[found.says], found.values)
}

/** The title and the sentence of a kind of problem; undefined for one of a newer coordinator. */
export function kindWords(kind: string, t: Dictionary): { title: string; detail: string } | undefined {
  return (t.server.kinds as Record<string, Kinds[keyof Kinds]>)[kind.replaceAll('-', '_')]
}
