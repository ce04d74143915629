/** How words find a job. */
import type { JobView } from './types'

/** Whether all words are found, in any order. Better the more of them begin the name. */
export function score(text: string, words: readonly string[]): number {
  const where = text.toLowerCase()
  let sum = 0
  for (const word of words) {
    const at = where.indexOf(word)
    if (at < 0) return -1
    sum += at === 0 ? 3 : /[\W_]/.test(where[at - 1] ?? '') ? 2 : 1
  }
  return sum
}

/** What words are compared with. */
export const textOfJob = ({ name, service = 'default', description = '', handler = '' }: JobView): string =>
  `${name} ${service}.${name} ${description} ${handler}`

export const wordsOf = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean)

/** Whether this is its whole name. */
export const isNamed = (job: JobView, text: string) =>
  job.name === text || `${job.service ?? 'default'}.${job.name}` === text

/** Whether this may be a name of a job, bare or with its service. A number is one of a task. */
export const mayBeName = (text: string): boolean => /^[^\s/?#]{2,200}$/.test(text) && !/^#?\d+$/.test(text)

/** What to ask the coordinator for: it compares one text with names and descriptions, and knows services by their name.
 * `mail.wel` is a text in the service `mail`, if there is that service. */
export function filterOf(text: string, services: readonly string[]): { service?: string; text?: string } {
  const words = text.split(/\s+/).filter(Boolean)
  const rest: string[] = []
  let service: string | undefined
  for (const word of words) {
    const named = services.find((one) => one === word.toLowerCase())
    const before = services.find((one) => word.toLowerCase().startsWith(`${one}.`))
    if (service === undefined && named !== undefined) service = named
    else if (service === undefined && before !== undefined) {
      service = before
      if (word.length > before.length + 1) rest.push(word.slice(before.length + 1))
    } else rest.push(word)
  }
  const longest = rest.reduce((most, word) => (word.length > most.length ? word : most), '')
  return { ...(service && { service }), ...(longest && { text: longest }) }
}

/** The names that the coordinator offers instead of one that several services have. */
export function choicesOf(detail: string): string[] {
  const found = /^several services have a job named .+: use (.+)$/.exec(detail)
  return found?.[1]?.split(' or ') ?? []
}
