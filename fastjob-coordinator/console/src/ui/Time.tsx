import { useEffect, useState, useSyncExternalStore } from 'react'
import { useI18n } from '../i18n'
import { createStore } from '../lib/store'

/** One clock for the whole page: ticks each second while something shows a time. */
const clock = createStore(Date.now())
const never = () => () => {}
let watchers = 0
let timer: ReturnType<typeof setInterval> | undefined

/** The time, each second or in longer steps. Renders only when the step changes. */
export function useNow(active = true, step = 1000): number {
  const now = useSyncExternalStore(active ? clock.subscribe : never, () =>
    step === 1000 ? clock.get() : Math.floor(clock.get() / step) * step,
  )
  useEffect(() => {
    if (!active) return
    watchers += 1
    timer ??= setInterval(() => clock.set(Date.now()), 1000)
    return () => {
      watchers -= 1
      if (watchers === 0) {
        clearInterval(timer)
        timer = undefined
      }
    }
  }, [active])
  return now
}

/** An instant as it is said now: `7h ago`, `in 2m 42s`. The tooltip has the whole instant in its zone and in UTC. */
export function Time({
  at,
  zone,
  look = 'relative',
}: {
  at: string | null | undefined
  /** The job's zone, for those who show times in it. */
  zone?: string | undefined
  /** `near` is a clock or a day; `relative` is `7h ago`. */
  look?: 'relative' | 'near' | 'clock'
}) {
  const { t, f, say } = useI18n()
  const now = useNow(look === 'relative' && Boolean(at))
  if (!at) return <span className="grey">–</span>
  const when = Date.parse(at)
  const distance = when - now
  const words =
    look === 'clock'
      ? f.clock(when, zone)
      : look === 'near'
        ? f.near(when, zone, now)
        : Math.abs(distance) < 500
          ? t.time.now
          : distance > 0
            ? say(t.time.in, { for: f.duration(Math.max(1000, Math.round(distance / 1000) * 1000)) })
            : say(t.time.ago, { for: f.coarse(-distance) })
  return (
    // The tooltip is made when it is shown: long tables have thousands of times.
    <time dateTime={at} data-when={when} data-zone={zone} className="nw">
      {words}
    </time>
  )
}

/** How long it took, or how long it has run: then it ticks. */
export function Duration({ from, to, ms }: { from?: string | null; to?: string | null; ms?: number | null }) {
  const { f } = useI18n()
  const ticking = ms === undefined && Boolean(from) && !to
  const now = useNow(ticking)
  if (ms !== undefined) return <span className="nw">{ms === null ? '–' : f.duration(ms)}</span>
  if (!from) return <span className="grey">–</span>
  const took = (to ? Date.parse(to) : now) - Date.parse(from)
  return (
    <span className="nw">{f.duration(ticking ? Math.floor(Math.max(0, took) / 1000) * 1000 : took)}</span>
  )
}

/** How long something has been so: `for 26m`. */
export function For({ since }: { since: string | number }) {
  const { t, f, say } = useI18n()
  const now = useNow()
  const from = typeof since === 'number' ? since : Date.parse(since)
  return <>{say(t.time.for, { for: f.duration(Math.max(1000, Math.floor((now - from) / 1000) * 1000)) })}</>
}

/** True after a delay, so that what is fast shows no skeleton. */
export function useLate(ms = 120): boolean {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const wait = setTimeout(() => setLate(true), ms)
    return () => clearTimeout(wait)
  }, [ms])
  return late
}
