import { useEffect, useRef, useState } from 'react'
import { useI18n } from '../i18n'

/** One tooltip for the whole page: any element with `data-tip` has it, on hover and on keyboard focus. One
 * element instead of one per cell keeps long tables cheap. */
export function Tip() {
  const { f } = useI18n()
  const format = useRef(f)
  format.current = f
  const [text, setText] = useState<string | null>(null)
  const box = useRef<HTMLDivElement>(null)
  const target = useRef<Element | null>(null)

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const textOf = (element: Element) => {
      const when = element.getAttribute('data-when')
      if (when === null) return element.getAttribute('data-tip')
      const whole = format.current.whole
      const zone = format.current.zone(element.getAttribute('data-zone') ?? undefined)
      const utc = whole(Number(when), 'UTC')
      return zone === 'UTC' ? utc : `${whole(Number(when), zone)}\n${utc}`
    }
    const hide = () => {
      clearTimeout(timer)
      target.current = null
      setText(null)
    }
    const show = (element: Element, wait: number) => {
      if (element === target.current) return
      hide()
      target.current = element
      timer = setTimeout(() => setText(textOf(element)), wait)
    }
    const find = (event: Event) =>
      event.target instanceof Element ? event.target.closest('[data-tip],[data-when]') : null
    const over = (event: Event) => {
      const element = find(event)
      if (element) show(element, 350)
      else if (!(event.target instanceof Element && event.target.closest('.tip'))) hide()
    }
    const focus = (event: Event) => {
      const element = find(event)
      if (element?.matches(':focus-visible')) show(element, 0)
    }
    const key = (event: KeyboardEvent) => {
      if (event.key === 'Escape') hide()
    }
    document.addEventListener('pointerover', over)
    document.addEventListener('pointerdown', hide)
    document.addEventListener('focusin', focus)
    document.addEventListener('focusout', hide)
    document.addEventListener('keydown', key)
    document.addEventListener('scroll', hide, true)
    return () => {
      hide()
      document.removeEventListener('pointerover', over)
      document.removeEventListener('pointerdown', hide)
      document.removeEventListener('focusin', focus)
      document.removeEventListener('focusout', hide)
      document.removeEventListener('keydown', key)
      document.removeEventListener('scroll', hide, true)
    }
  }, [])

  useEffect(() => {
    const element = box.current
    const around = target.current?.getBoundingClientRect()
    if (!text || !element || !around) return
    const size = element.getBoundingClientRect()
    const left = Math.min(
      Math.max(8, around.left + around.width / 2 - size.width / 2),
      innerWidth - size.width - 8,
    )
    const below = around.bottom + 6
    element.style.left = `${left}px`
    element.style.top = `${below + size.height > innerHeight ? around.top - size.height - 6 : below}px`
    element.style.visibility = 'visible'
  }, [text])

  return text ? (
    <div ref={box} className="tip" role="tooltip" key={text}>
      {text}
    </div>
  ) : null
}
