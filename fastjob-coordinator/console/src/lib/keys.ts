import { useEffect, useRef } from 'react'

/** Keys by name: `j`, `?`, `Escape`, `mod+k`, and two in a row, `g o`. What answers `false` leaves the key to the browser. */
export type KeyMap = Record<string, (event: KeyboardEvent) => unknown>

/** Whether keys belong to what is focused: a field, an open menu or dialog. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) ||
      target.closest('[role=menu],[role=listbox]') !== null)
  )
}

const hasDialog = () => document.querySelector('[role=dialog]') !== null
let prefix = ''
let prefixTimer: ReturnType<typeof setTimeout> | undefined

function nameOf(event: KeyboardEvent): string {
  const mod = event.ctrlKey || event.metaKey
  const key = event.key.length === 1 ? (mod ? event.key.toLowerCase() : event.key) : event.key
  return mod ? `mod+${key}` : key
}

/** Listens to keys of the page while the component is there. Only `mod+…` works while typing. */
export function useKeys(map: KeyMap, active = true): void {
  const latest = useRef(map)
  latest.current = map
  useEffect(() => {
    if (!active) return
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey) return
      const name = nameOf(event)
      if (!name.startsWith('mod+') && (isTyping(event.target) || hasDialog())) return
      const call = latest.current[prefix ? `${prefix} ${name}` : name] ?? latest.current[name]
      if (!call || (prefix && !latest.current[`${prefix} ${name}`])) return
      if (call(event) !== false) event.preventDefault()
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [active])
}

/** Remembers `g` for a second, for all maps. Mounted once, by the shell. */
export function usePrefix(letter: string): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const mine = event.key === letter && !event.ctrlKey && !event.metaKey && !event.altKey
      // After the others have seen this key.
      setTimeout(() => {
        clearTimeout(prefixTimer)
        prefix = mine && !prefix && !isTyping(event.target) && !hasDialog() ? letter : ''
        prefixTimer = setTimeout(() => {
          prefix = ''
        }, 1000)
      })
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [letter])
}

/** A field that a key focuses. */
export function useKeysFocus(key: string): React.RefObject<HTMLInputElement | null> {
  const field = useRef<HTMLInputElement>(null)
  useKeys({ [key]: () => field.current?.focus() })
  return field
}
