/** A long press on a row of a list, with a finger. */
import { type PointerEvent, useRef } from 'react'

const LONG = 500
/** A finger that moves further than this scrolls. */
const MOVED = 10

/** Handlers for an element whose rows have `data-index`. The click that ends the press is swallowed. */
export function useLongPress(onPress: (index: number) => void) {
  const press = useRef<{ timer: ReturnType<typeof setTimeout>; x: number; y: number } | null>(null)
  const swallow = useRef(false)
  const end = () => {
    if (press.current) clearTimeout(press.current.timer)
    press.current = null
  }
  return {
    onPointerDown: (event: PointerEvent) => {
      swallow.current = false
      if (event.pointerType !== 'touch') return
      const row = (event.target as Element).closest<HTMLElement>('[data-index]')
      const index = Number(row?.dataset.index ?? -1)
      if (index < 0) return
      end()
      const timer = setTimeout(() => {
        swallow.current = true
        press.current = null
        onPress(index)
      }, LONG)
      press.current = { timer, x: event.clientX, y: event.clientY }
    },
    onPointerMove: (event: PointerEvent) => {
      const at = press.current
      if (at && Math.hypot(event.clientX - at.x, event.clientY - at.y) > MOVED) end()
    },
    onPointerUp: end,
    onPointerCancel: end,
    onContextMenu: (event: { preventDefault: () => void }) => {
      // A long press would open the browser's menu of links.
      if (swallow.current || press.current) event.preventDefault()
    },
    onClickCapture: (event: { preventDefault: () => void; stopPropagation: () => void }) => {
      if (!swallow.current) return
      swallow.current = false
      event.preventDefault()
      event.stopPropagation()
    },
  }
}
