/**
 * Keeps the end of a list in view while it grows, until the user scrolls up. Scrolling to the end
 * follows again.
 */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'

export interface Following {
  follow: boolean
  setFollow: (on: boolean) => void
  /** Lines that arrived since the user scrolled up. */
  unseen: number
}

const NEAR = 24

export function useFollow(
  box: RefObject<HTMLElement | null>,
  length: number,
  version: number,
  initially: boolean,
  toEnd: () => void,
): Following {
  const [follow, setFollow] = useState(initially)
  const [seen, setSeen] = useState(0)
  const before = useRef(0)
  const scroll = useRef(toEnd)
  scroll.current = toEnd

  // biome-ignore lint/correctness/useExhaustiveDependencies: each piece moves the end
  useLayoutEffect(() => {
    if (follow) scroll.current()
  }, [follow, version, length])

  useEffect(() => {
    if (follow) setSeen(length)
  }, [follow, length])

  useEffect(() => {
    const element = box.current
    if (!element) return
    const moved = () => {
      const top = element.scrollTop
      const up = top < before.current - 1
      before.current = top
      const end = element.scrollHeight - element.clientHeight - top <= NEAR
      if (up && !end) setFollow(false)
      else if (end && !up) setFollow(true)
    }
    element.addEventListener('scroll', moved, { passive: true })
    return () => element.removeEventListener('scroll', moved)
  }, [box])

  const set = useCallback((on: boolean) => setFollow(on), [])
  return { follow, setFollow: set, unseen: follow ? 0 : Math.max(0, length - seen) }
}
