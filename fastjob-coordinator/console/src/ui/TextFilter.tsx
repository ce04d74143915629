import { useEffect, useRef, useState } from 'react'
import { useKeysFocus } from '../lib/keys'
import { Icon } from './Icon'

/** How long somebody pauses before the coordinator is asked. */
const PAUSE = 250

/** A field of free words that the coordinator looks for. They apply after a pause, and at once on Enter. `/` focuses it. */
export function TextFilter({
  text,
  onChange,
  placeholder,
  label,
}: {
  text: string | undefined
  onChange: (text: string | undefined) => void
  placeholder: string
  label: string
}) {
  const field = useKeysFocus('/')
  const [typed, setTyped] = useState(text ?? '')
  const sent = useRef(text ?? '')
  useEffect(() => {
    if ((text ?? '') !== sent.current) setTyped(text ?? '')
    sent.current = text ?? ''
  }, [text])
  const apply = (value: string) => {
    if (value === sent.current) return
    sent.current = value
    onChange(value || undefined)
  }
  const latest = useRef(apply)
  latest.current = apply
  useEffect(() => {
    const timer = setTimeout(() => latest.current(typed.trim()), PAUSE)
    return () => clearTimeout(timer)
  }, [typed])
  return (
    <div className="search">
      <Icon name="search" />
      <input
        ref={field}
        value={typed}
        placeholder={placeholder}
        aria-label={label}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') apply(typed.trim())
        }}
      />
      <kbd className="hide-s">/</kbd>
    </div>
  )
}
