/**
 * Reads a log from its beginning and follows it.
 *
 * Each read names the position that was reached, so nothing is lost or doubled after a lost
 * connection, and a read waits at the coordinator until there is more.
 */
import { useEffect, useReducer, useRef, useState } from 'react'
import { ApiError, get } from '../../../api/client'
import type { LogView } from '../../../api/types'
import { LogBuffer } from './buffer'

const PIECE = 1_048_576
const WAIT = '20s'
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000]

export interface LogChoice {
  shard: number
  /** From 1; the newest attempt of the shard without it. */
  attempt?: number | undefined
}

export interface Log {
  buffer: LogBuffer
  /** Grows with each piece: what depends on the buffer depends on it. */
  version: number
  /** The piece that was read last, without its text. */
  last: Omit<LogView, 'text'> | null
  /** The first pieces are still being read. */
  loading: boolean
  /** Why there is no log. */
  error: ApiError | null
  /** The connection was lost since; reading continues by itself. */
  lostSince: number | null
  reload: () => void
}

interface Reading {
  buffer: LogBuffer
  last: Omit<LogView, 'text'> | null
  loading: boolean
  error: ApiError | null
  lostSince: number | null
}

const begin = (): Reading => ({
  buffer: new LogBuffer(),
  last: null,
  loading: true,
  error: null,
  lostSince: null,
})

/** Whether reading again later may succeed. */
function passes(error: ApiError): boolean {
  return error.status === 0 || error.status === 401 || error.status === 429 || error.status >= 500
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

async function follow(
  task: number,
  choice: LogChoice,
  log: Reading,
  changed: () => void,
  signal: AbortSignal,
) {
  let offset = 0
  let attempt = choice.attempt
  let failures = 0
  while (!signal.aborted) {
    try {
      const query = { shard: choice.shard, attempt, offset, limit: PIECE, wait: log.last ? WAIT : undefined }
      const { text, ...piece } = await get<LogView>(`/tasks/${task}/log`, query, signal)
      if (signal.aborted) return
      // A retry that starts meanwhile has a log of its own.
      attempt = piece.number
      offset = piece.next_offset
      failures = 0
      log.buffer.append(text)
      // An answer without text says nothing about where the text was read.
      log.last = text === '' && log.last ? { ...piece, source: log.last.source } : piece
      log.error = null
      log.lostSince = null
      const more = text !== '' && !piece.ended
      log.loading = more && text.length > PIECE / 2
      changed()
      if (piece.ended) return
    } catch (error) {
      if (signal.aborted) return
      const failed = error instanceof ApiError ? error : new ApiError(0, 'network', '', String(error))
      log.loading = false
      if (!passes(failed)) {
        log.error = failed
        changed()
        return
      }
      log.lostSince ??= Date.now()
      changed()
      await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 10_000, signal)
      failures += 1
    }
  }
}

/** The log of an attempt, which grows while it is shown. */
export function useLog(task: number, { shard, attempt }: LogChoice): Log {
  const [version, changed] = useReducer((n: number) => n + 1, 0)
  const [round, setRound] = useState(0)
  const reading = useRef<Reading>(begin())
  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` reads the log again
  useEffect(() => {
    const abort = new AbortController()
    const log = begin()
    reading.current = log
    changed()
    // Pieces that arrive quickly are drawn together, once per frame.
    let frame = 0
    const soon = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0
        changed()
      })
    }
    void follow(task, { shard, attempt }, log, soon, abort.signal)
    return () => {
      abort.abort()
      cancelAnimationFrame(frame)
    }
  }, [task, shard, attempt, round])
  return { ...reading.current, version, reload: () => setRound((n) => n + 1) }
}
