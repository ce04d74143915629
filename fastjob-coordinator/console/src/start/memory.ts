/** The last param of each job that was started by hand, in this browser. Bounded in number and in size. */

import { local } from '../lib/store'

const KEY = 'starts'
const MOST_JOBS = 50
const MOST_CHARS = 4_000

type Memory = [job: string, param: string][]

function read(): Memory {
  const stored = local.read<unknown>(KEY, [])
  if (!Array.isArray(stored)) return []
  return stored.filter(
    (one): one is [string, string] =>
      Array.isArray(one) && typeof one[0] === 'string' && typeof one[1] === 'string',
  )
}

export function lastParam(job: string): string | null {
  return read().find(([name]) => name === job)?.[1] ?? null
}

/** Remembers a param. One that is too long, or that is the job's own, is forgotten instead. */
export function rememberParam(job: string, param: string, own: string): void {
  const others = read().filter(([name]) => name !== job)
  const worth = param !== own && param.length <= MOST_CHARS
  local.write(KEY, worth ? [[job, param], ...others].slice(0, MOST_JOBS) : others)
}
