import { useEffect, useMemo, useState } from 'react'
import { ApiError, get } from '../../api/client'
import type { Fires } from '../../api/types'
import { isExcluded } from '../../schedule/calendar'
import { parseCron } from '../../schedule/cron/parse'
import { parseDuration } from '../../schedule/duration'
import { wallAt } from '../../schedule/zone'
import type { Form } from './model/form'
import { hasSchedule } from './model/write'

export type NextFires =
  | { kind: 'fires'; fires: number[]; skipped: number; loading: boolean }
  | { kind: 'none' | 'parent' | 'wrong' | 'never' | 'unreachable' | 'loading' }
  | { kind: 'afterEnd'; delay: number; started: boolean }
  | { kind: 'noneSoon'; count: number }

const SHOWN = 5
const MANY = 500
const WAIT = 250

/** The next fires of what is typed: those of a cron expression from the coordinator, the others are simple. */
export function useFires(form: Form): NextFires {
  const { kind, cron, zone, startAt } = form
  const limited = form.excludeDays.length + form.excludeHours.length > 0
  const query = useMemo(() => {
    if (kind !== 'cron' || !parseCron(cron).ok) return null
    const start = Date.parse(startAt)
    const after = start > Date.now() ? new Date(start - 1000).toISOString() : undefined
    return { cron: cron.trim(), zone, after, count: limited ? MANY : SHOWN }
  }, [kind, cron, zone, startAt, limited])
  const [answer, setAnswer] = useState<{ for: unknown; fires: number[] | null; error: boolean } | null>(null)

  useEffect(() => {
    if (!query) return
    const abort = new AbortController()
    const ask = () =>
      get<Fires>('/schedule/preview', query, abort.signal).then(
        ({ fires }) => setAnswer({ for: query, fires: fires.map((at) => Date.parse(at)), error: false }),
        (error) => {
          if (abort.signal.aborted) return
          const wrong = error instanceof ApiError && error.status === 422
          setAnswer({ for: query, fires: null, error: !wrong })
        },
      )
    const wait = setTimeout(ask, WAIT)
    // A page that stays open shows what comes next.
    const every = setInterval(ask, 60_000)
    return () => {
      clearTimeout(wait)
      clearInterval(every)
      abort.abort()
    }
  }, [query])

  return useMemo(() => {
    if (!hasSchedule(form)) return { kind: form.kind === 'parent' ? 'parent' : 'none' }
    if (form.kind === 'fixed_delay') {
      const delay = parseDuration(form.fixedDelay)
      return delay === null
        ? { kind: 'wrong' }
        : { kind: 'afterEnd', delay, started: form.startAt.trim() !== '' }
    }
    if (form.kind === 'cron') {
      if (!query) return { kind: 'wrong' }
      if (!answer) return { kind: 'loading' }
      const current = answer.for === query
      if (!answer.fires)
        return current ? { kind: answer.error ? 'unreachable' : 'wrong' } : { kind: 'loading' }
      return within(form, answer.fires, !current, answer.fires.length >= MANY)
    }
    const fires = simpleFires(form)
    return fires ? within(form, fires, false, fires.length >= MANY) : { kind: 'wrong' }
  }, [form, query, answer])
}

/** Without what the limits exclude. */
function within(form: Form, all: number[], loading: boolean, cut: boolean): NextFires {
  const start = Date.parse(form.startAt)
  const end = Date.parse(form.endAt)
  let skipped = 0
  const fires: number[] = []
  for (const at of all) {
    if (fires.length === SHOWN || at > end) break
    if (at < start) continue
    if (isExcluded(wallAt(at, form.zone), form.excludeDays, form.excludeHours)) skipped += 1
    else fires.push(at)
  }
  if (fires.length > 0) return { kind: 'fires', fires, skipped, loading }
  if (loading) return { kind: 'loading' }
  return cut && skipped > 0 ? { kind: 'noneSoon', count: all.length } : { kind: 'never' }
}

/** The fires of a fixed rate and of a single instant; null if they are not valid. */
function simpleFires(form: Form): number[] | null {
  const now = Date.now()
  if (form.kind === 'once') {
    const at = Date.parse(form.once)
    return Number.isNaN(at) ? null : at > now ? [at] : []
  }
  const rate = parseDuration(form.fixedRate)
  if (rate === null || rate < 100) return null
  const start = Date.parse(form.startAt)
  const first = start > now ? start : now + rate - (start < now ? (now - start) % rate : 0)
  return Array.from({ length: MANY }, (_, index) => first + index * rate)
}
