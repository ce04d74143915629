/**
 * Live updates: one event stream for all tabs of this browser. One tab, the leader, holds a Web Lock and reads
 * `GET /events`; it sends what arrives to the others over a BroadcastChannel. A tab that is hidden for a minute
 * lets go. Where there is no stream (an older coordinator, or 500 streams already), queries are refetched every
 * five seconds. While something holds updates back (selected rows, an open menu, marked text), changes are
 * remembered and applied at the release.
 */
import { useEffect, useId } from 'react'
import { createStore, useStore, useStorePart } from '../lib/store'
import { apiUrl } from './client'
import { affected, mayDiffer, queryClient } from './queries'
import { mayReadAgain } from './searchOn'
import { readEvents, StreamRejected } from './sse'
import type { ChangedEvent, CountsEvent, Page, TaskView } from './types'

export type LiveMode = 'connecting' | 'live' | 'polling' | 'reconnecting'
export interface LiveState {
  mode: LiveMode
  /** When the connection was lost. */
  since: number | null
  /** Why updates are held back, empty if they are not. */
  holds: readonly string[]
  /** Changes that wait for the release. */
  pending: number
  counts: CountsEvent | null
}

type Message =
  | { kind: 'event'; event: string; data: string }
  | { kind: 'mode'; mode: LiveMode; since: number | null }
  | { kind: 'want'; tab: string; tasks: number[] }
  | { kind: 'ask' }

export const live = createStore<LiveState>({
  mode: 'connecting',
  since: null,
  holds: [],
  pending: 0,
  counts: null,
})
export const useLive = () => useStore(live)
/** A part of the state: counts change every second, and few components need them. */
export const useLivePart = <Part>(select: (state: LiveState) => Part): Part => useStorePart(live, select)

const HIDDEN = 60_000
const POLL = 5_000
const THROTTLE = 2_000
/** What the coordinator computes for all callers together: an answer is a little more than 2 s old. */
const COMPUTED = ['overview', 'services']
const COMPUTED_AGE = 3_000
/** When to look again at lists that were searched far. */
const LATER = 15_000
const tab = Math.random().toString(36).slice(2)
// Locks exist only over HTTPS and on this machine. Elsewhere each tab reads its own stream, and shares nothing.
const channel =
  'BroadcastChannel' in globalThis && navigator.locks ? new BroadcastChannel('fastjob-live') : null

const wantedHere = new Map<string, number[]>()
const wantedElsewhere = new Map<string, number[]>()
const pendingNouns = new Set<string>()
let leading: AbortController | null = null
let connection: AbortController | null = null
let flushTimer: ReturnType<typeof setTimeout> | undefined
let computedTimer: ReturnType<typeof setTimeout> | undefined
let lastFlush = 0
const laterNouns = new Set<string>()

function setMode(mode: LiveMode) {
  const now = live.get()
  const since = mode === 'reconnecting' ? (now.since ?? Date.now()) : null
  live.set({ ...now, mode, since })
  channel?.postMessage({ kind: 'mode', mode, since } satisfies Message)
}

/** Refetches what the nouns alter, at most every two seconds, and not while updates are held back. */
function changed(nouns: string[]) {
  for (const noun of nouns) pendingNouns.add(noun)
  if (live.get().holds.length > 0) {
    if (nouns !== COMPUTED) live.set((now) => ({ ...now, pending: now.pending + 1 }))
    return
  }
  if (flushTimer !== undefined) return
  flushTimer = setTimeout(flush, Math.max(0, lastFlush + THROTTLE - Date.now()))
}

function flush() {
  flushTimer = undefined
  if (live.get().holds.length > 0 || pendingNouns.size === 0) return
  lastFlush = Date.now()
  const nouns = [...pendingNouns]
  const words = new Set(nouns.flatMap((noun) => affected[noun] ?? [noun]))
  pendingNouns.clear()
  if (nouns.some((noun) => affected[noun]?.some((word) => COMPUTED.includes(word)))) {
    // What is read now may be from before the change.
    clearTimeout(computedTimer)
    computedTimer = setTimeout(() => changed(COMPUTED), COMPUTED_AGE)
  }
  live.set((now) => ({ ...now, pending: 0 }))
  void queryClient.invalidateQueries({
    predicate: (query) => {
      if (!words.has(String(query.queryKey[0])) || !mayDiffer(query, nouns)) return false
      const { pages } = (query.state.data ?? {}) as { pages?: Page<unknown>[] }
      const { dataUpdatedAt: readAt, fetchStatus, fetchMeta } = query.state
      const isFetching = fetchStatus !== 'idle'
      const isFetchingMore = isFetching && fetchMeta?.fetchMore !== undefined
      const again = pages ? mayReadAgain(pages, { readAt, isFetching, isFetchingMore }, Date.now()) : true
      if (again === 'later' && query.isActive()) searchAgain(nouns)
      return again === true
    },
  })
}

/** Repeats a change for lists that were searched far: not for each change, but not without the last one either. */
function searchAgain(nouns: string[]) {
  if (laterNouns.size === 0) {
    setTimeout(() => {
      const later = [...laterNouns]
      laterNouns.clear()
      changed(later)
    }, LATER)
  }
  for (const noun of nouns) laterNouns.add(noun)
}

function receive(event: string, data: string) {
  try {
    if (event === 'counts') live.set({ ...live.get(), counts: JSON.parse(data) as CountsEvent })
    else if (event === 'changed') {
      const flags = JSON.parse(data) as ChangedEvent
      changed(Object.entries(flags).flatMap(([noun, is]) => (is ? [noun] : [])))
    } else if (event === 'task') {
      const task = JSON.parse(data) as TaskView
      queryClient.setQueryData<TaskView>(['task', task.id], (old) =>
        old ? { ...old, ...task, param: old.param, result: task.result ?? old.result } : old,
      )
      if (task.ended_at) void queryClient.invalidateQueries({ queryKey: ['task', task.id] })
    }
  } catch {
    // An event that this release cannot read is skipped.
  }
}

function wanted(): number[] {
  const ids = new Set([...wantedHere.values(), ...wantedElsewhere.values()].flat())
  return [...ids].sort((a, b) => a - b).slice(-100)
}

const sleep = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })

async function lead(signal: AbortSignal) {
  let failures = 0
  while (!signal.aborted) {
    const mine = new AbortController()
    connection = mine
    const end = () => mine.abort()
    signal.addEventListener('abort', end)
    const tasks = wanted()
    try {
      await readEvents(
        apiUrl('/events', tasks.length > 0 ? { tasks: tasks.join(',') } : undefined),
        mine.signal,
        () => {
          if (failures > 0) changed(Object.keys(affected))
          failures = 0
          setMode('live')
        },
        ({ event, data }) => {
          receive(event, data)
          channel?.postMessage({ kind: 'event', event, data } satisfies Message)
        },
      )
      if (!mine.signal.aborted) {
        setMode('reconnecting')
        // What changes until the next connection would be missed.
        failures = 1
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof StreamRejected && error.status !== 401 && error.status < 500) {
        await poll(signal, 12)
        continue
      }
      if (error instanceof StreamRejected && error.status === 503) {
        await poll(signal, 6)
        continue
      }
      if (!mine.signal.aborted || failures > 0) setMode('reconnecting')
      failures += 1
    } finally {
      signal.removeEventListener('abort', end)
    }
    if (!mine.signal.aborted) await sleep(Math.min(10_000, 500 * 2 ** Math.min(failures, 5)), signal)
  }
}

/** Refetches every five seconds, and then lets the stream be tried again. */
async function poll(signal: AbortSignal, rounds: number) {
  const tell = (event: string, data: string) => {
    receive(event, data)
    channel?.postMessage({ kind: 'event', event, data } satisfies Message)
  }
  for (let round = 0; round < rounds && !signal.aborted; round += 1) {
    if (live.get().mode !== 'polling') setMode('polling')
    await sleep(POLL, signal)
    if (!signal.aborted)
      tell('changed', '{"jobs":true,"tasks":true,"executors":true,"alarms":true,"nodes":true}')
    if (!signal.aborted)
      for (const id of wanted()) void queryClient.invalidateQueries({ queryKey: ['task', id] })
  }
}

function begin() {
  if (leading) return
  const mine = new AbortController()
  leading = mine
  channel?.postMessage({ kind: 'ask' } satisfies Message)
  if (channel) {
    navigator.locks.request('fastjob-live', { signal: mine.signal }, () => lead(mine.signal)).catch(() => {})
  } else void lead(mine.signal)
}

function end() {
  leading?.abort()
  leading = null
}

/** Begins once, when the page is ready and signed in. */
export function startLive(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const visibility = () => {
    clearTimeout(timer)
    if (document.hidden) timer = setTimeout(end, HIDDEN)
    else if (!leading) {
      begin()
      changed(Object.keys(affected))
    }
  }
  const selection = () => {
    const marked = document.getSelection()
    const inside = marked?.anchorNode?.parentElement?.closest('main') ?? null
    hold('text', Boolean(marked && !marked.isCollapsed && inside))
  }
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === 'event') {
        // A tab that is hidden for long has let go: it refetches when it is shown.
        if (leading) receive(data.event, data.data)
      } else if (data.kind === 'mode') live.set({ ...live.get(), mode: data.mode, since: data.since })
      else if (data.kind === 'want') {
        wantedElsewhere.set(data.tab, data.tasks)
        if (data.tasks.length === 0) wantedElsewhere.delete(data.tab)
        connection?.abort()
      } else if (connection) setMode(live.get().mode)
    }
  }
  document.addEventListener('visibilitychange', visibility)
  document.addEventListener('selectionchange', selection)
  begin()
  return () => {
    end()
    document.removeEventListener('visibilitychange', visibility)
    document.removeEventListener('selectionchange', selection)
  }
}

/** Holds updates back for a reason, or no longer. */
export function hold(reason: string, on: boolean): void {
  const { holds } = live.get()
  if (holds.includes(reason) === on) return
  live.set((now) => ({
    ...now,
    holds: on ? [...now.holds, reason] : now.holds.filter((one) => one !== reason),
  }))
  if (live.get().holds.length === 0 && pendingNouns.size > 0) flush()
}

/** Holds updates back while `on`: selected rows, an open menu. */
export function useHold(on: boolean, reason: string): void {
  const id = useId()
  useEffect(() => {
    if (!on) return
    hold(`${reason}${id}`, true)
    return () => hold(`${reason}${id}`, false)
  }, [on, reason, id])
}

/** Subscribes to changes of these tasks: their queries follow. */
export function useLiveTasks(ids: readonly number[]): void {
  const id = useId()
  const text = ids.join(',')
  useEffect(() => {
    const list = text ? text.split(',').map(Number) : []
    if (list.length === 0) return
    const tell = () => {
      channel?.postMessage({ kind: 'want', tab, tasks: [...wantedHere.values()].flat() } satisfies Message)
      connection?.abort()
    }
    wantedHere.set(id, list)
    tell()
    return () => {
      wantedHere.delete(id)
      tell()
    }
  }, [text, id])
}
