import { useSyncExternalStore } from 'react'

/** A value outside of React that components can follow. */
export interface Store<T> {
  get(): T
  set(next: T | ((now: T) => T)): void
  subscribe(call: () => void): () => void
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial
  const calls = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      const changed = typeof next === 'function' ? (next as (now: T) => T)(value) : next
      if (Object.is(changed, value)) return
      value = changed
      for (const call of calls) call()
    },
    subscribe(call) {
      calls.add(call)
      return () => calls.delete(call)
    },
  }
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get)
}

/** Follows a part of a value: renders again only when that part changes. `select` answers something comparable. */
export function useStorePart<T, Part>(store: Store<T>, select: (value: T) => Part): Part {
  return useSyncExternalStore(store.subscribe, () => select(store.get()))
}

/** Reads and writes JSON in the browser's storage, which may be absent or full. */
export const local = {
  read<T>(key: string, fallback: T): T {
    try {
      const text = localStorage.getItem(`fastjob.${key}`)
      return text === null ? fallback : (JSON.parse(text) as T)
    } catch {
      return fallback
    }
  },
  write(key: string, value: unknown): void {
    try {
      localStorage.setItem(`fastjob.${key}`, JSON.stringify(value))
    } catch {
      // Private windows have no storage: the setting lasts as long as the page.
    }
  },
}
