/** Where the focus goes when what has it goes away: never to the document, where keys begin again. */
import { useEffect, useState } from 'react'

/** What has the focus; an open menu stands for its button, which outlives it. */
export function anchor(): HTMLElement | null {
  const now = document.activeElement
  const menu = now?.closest('[role=menu]')?.getAttribute('aria-labelledby')
  const found = menu ? document.getElementById(menu) : now
  return found instanceof HTMLElement && found !== document.body ? found : null
}

/** Gives the focus back if nothing has it; to the content if the element is gone as well. */
export function restoreFocus(to: HTMLElement | null): void {
  requestAnimationFrame(() => {
    if (document.activeElement !== null && document.activeElement !== document.body) return
    const target = to?.isConnected ? to : document.getElementById('main')
    target?.focus({ preventScroll: true })
  })
}

/** For what is drawn only while it is open, such as a dialog: closing it gives the focus back. */
export function useReturnFocus(): void {
  const [from] = useState(anchor)
  useEffect(() => () => restoreFocus(from), [from])
}
