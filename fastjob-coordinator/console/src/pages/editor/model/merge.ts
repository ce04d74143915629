/** Two edits of one definition: what each changed, field by field. */

import type { JobDraft, Json } from '../../../api/types'
import { isTable } from './read'

export type Side = 'mine' | 'theirs'

export interface Difference {
  field: string
  mine: Json | undefined
  theirs: Json | undefined
  changedBy: Side | 'both'
}

type Fields = { [field: string]: Json | undefined }
const fields = (draft: JobDraft) => draft as unknown as Fields

/** Whether two values are the same, whatever the order of their keys. */
export function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, index) => isSame(one, b[index]))
  }
  if (isTable(a) && isTable(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...keys].every((key) => isSame(a[key], b[key]))
  }
  return a === b
}

/** The fields that differ between the two edits, and who changed them since `base`. All three are definitions
 * without defaults. */
export function differences(base: JobDraft, mine: JobDraft, theirs: JobDraft): Difference[] {
  const [was, own, other] = [fields(base), fields(mine), fields(theirs)]
  const names = [...new Set([...Object.keys(own), ...Object.keys(other)])]
  return names
    .filter((name) => !isSame(own[name], other[name]))
    .map((name) => {
      const byMe = !isSame(own[name], was[name])
      const byThem = !isSame(other[name], was[name])
      return {
        field: name,
        mine: own[name],
        theirs: other[name],
        changedBy: byMe && byThem ? ('both' as const) : byMe ? ('mine' as const) : ('theirs' as const),
      }
    })
}

/** What is proposed: each change of one of them is kept, and where both changed a field, mine. */
export function proposal(found: Difference[]): Record<string, Side> {
  return Object.fromEntries(
    found.map(({ field, changedBy }) => [
      field,
      changedBy === 'theirs' ? ('theirs' as const) : ('mine' as const),
    ]),
  )
}

/** The definition with the chosen side of each difference. */
export function merged(mine: JobDraft, found: Difference[], choice: Record<string, Side>): JobDraft {
  const result: Fields = { ...fields(mine) }
  for (const { field, theirs } of found) {
    if (choice[field] !== 'theirs') continue
    if (theirs === undefined) delete result[field]
    else result[field] = theirs
  }
  return result as unknown as JobDraft
}
