/**
 * The idempotency key of a start. The coordinator starts one task for each key, so a request that is repeated
 * because its answer was lost starts nothing twice.
 */
import { useRef } from 'react'

/** A key that nobody else has. `crypto.randomUUID` is missing on pages without HTTPS. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

/** The key for a request, which is given without it. It stays the same while the request does. */
export function useStartKey(): { keyFor: (request: object) => string; answered: () => void } {
  const now = useRef({ text: '', key: '' })
  return {
    keyFor: (request) => {
      const text = JSON.stringify(request)
      if (now.current.key === '' || text !== now.current.text) now.current = { text, key: newKey() }
      return now.current.key
    },
    /** The answer has arrived: the next start is another one. */
    answered: () => {
      now.current = { text: '', key: '' }
    },
  }
}
