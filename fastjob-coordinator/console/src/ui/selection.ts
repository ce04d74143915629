import { useCallback, useMemo, useRef, useState } from 'react'
import { useHold } from '../api/live'

export interface Selection<Key> {
  keys: ReadonlySet<Key>
  /** All that match the filter are selected, also those that are not loaded. */
  matching: boolean
  size: number
  /** Rows show their boxes where they have no place otherwise, as on phones; a tap selects. */
  picking: boolean
  setPicking: (on: boolean) => void
  has: (key: Key) => boolean
  /** Selects or clears one; with `range`, all between it and the last one. */
  toggle: (key: Key, range: boolean, order: readonly Key[]) => void
  all: (keys: readonly Key[]) => void
  setMatching: (on: boolean) => void
  clear: () => void
}

/** Which rows are selected. Updates are held back while some are. */
export function useSelection<Key>(): Selection<Key> {
  const [keys, setKeys] = useState<ReadonlySet<Key>>(() => new Set())
  const [matching, setMatching] = useState(false)
  const [picks, setPicking] = useState(false)
  const last = useRef<Key | null>(null)
  useHold(keys.size > 0, 'selection')
  const toggle = useCallback((key: Key, range: boolean, order: readonly Key[]) => {
    setMatching(false)
    const anchor = last.current
    last.current = key
    setKeys((now) => {
      const next = new Set(now)
      const from = range && anchor !== null ? order.indexOf(anchor) : -1
      const to = order.indexOf(key)
      if (from >= 0 && to >= 0) {
        for (const one of order.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one)
      } else if (!next.delete(key)) next.add(key)
      return next
    })
  }, [])
  const clear = useCallback(() => {
    last.current = null
    setMatching(false)
    setPicking(false)
    setKeys(new Set())
  }, [])
  const all = useCallback((list: readonly Key[]) => setKeys(new Set(list)), [])
  return useMemo(
    () => ({
      keys,
      matching,
      size: keys.size,
      picking: picks || keys.size > 0,
      setPicking,
      has: (key) => keys.has(key),
      toggle,
      all,
      setMatching,
      clear,
    }),
    [keys, matching, picks, toggle, all, clear],
  )
}
