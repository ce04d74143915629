import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import { useI18n } from '../i18n'
import { useKeys } from '../lib/keys'
import { parseTokens, type Token } from '../lib/tokens'
import { cx } from './cx'
import { Icon } from './Icon'

export interface TokenKey {
  key: string
  /** What it means, for the list of suggestions. */
  hint: string
  /** Values to suggest for what is typed behind `key:`. */
  values?: (text: string) => readonly string[]
  /** Hears what is typed behind `key:`, for values that are found. */
  ask?: (text: string) => void
}

/** A search field with `key:value` tokens. Applies at once: on Enter, on a chosen suggestion, and free words
 * after a pause. `/` focuses it. */
export function TokenSearch({
  tokens,
  text,
  keys,
  onChange,
  placeholder,
  label,
}: {
  tokens: readonly Token[]
  /** The free words. */
  text: string
  keys: readonly TokenKey[]
  onChange: (tokens: Token[], text: string) => void
  placeholder: string
  label: string
}) {
  const { t, say } = useI18n()
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [typed, setTyped] = useState(text)
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const sent = useRef(text)
  const names = keys.map((one) => one.key)

  useEffect(() => {
    if (text !== sent.current) setTyped(text)
    sent.current = text
  }, [text])

  const apply = (next: readonly Token[], rest: string) => {
    sent.current = rest
    onChange([...next], rest)
  }
  // Free words apply after a pause; a token that is being typed waits for Enter.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing begins a pause.
  useEffect(() => {
    if (typed === sent.current || /(^|\s)\w+:\S*$/.test(typed)) return
    const timer = setTimeout(() => {
      // A token that is complete, with a space behind it, is one also without Enter.
      if (parseTokens(typed, names).tokens.length > 0) submit(typed)
      else apply(tokens, typed.trim())
    }, 350)
    return () => clearTimeout(timer)
  }, [typed])
  useKeys({ '/': () => input.current?.focus() })

  const last = typed.split(/\s+/).pop() ?? ''
  const colon = last.indexOf(':')
  const partKey = colon > 0 ? keys.find((one) => one.key === last.slice(0, colon)) : undefined
  const part = partKey ? last.slice(colon + 1) : ''
  const ask = partKey?.ask
  useEffect(() => ask?.(part), [ask, part])
  const suggestions: { text: string; hint: string; done: boolean }[] = partKey
    ? (partKey.values?.(part) ?? []).slice(0, 8).map((value) => ({
        text: `${partKey.key}:${/\s/.test(value) ? `"${value}"` : value}`,
        hint: '',
        done: true,
      }))
    : keys
        .filter((one) => one.key.startsWith(last.toLowerCase()))
        .slice(0, 10)
        .map((one) => ({ text: `${one.key}:`, hint: one.hint, done: false }))
  const shown = open && suggestions.length > 0

  const submit = (whole: string) => {
    const { tokens: found, rest } = parseTokens(whole, names)
    const same = (one: Token) => found.some((other) => other.key === one.key && other.value === one.value)
    setTyped(rest)
    setActive(-1)
    apply([...tokens.filter((one) => !same(one)), ...found], rest)
  }
  const pick = (index: number) => {
    const one = suggestions[index]
    if (!one) return
    const whole = typed.slice(0, typed.length - last.length) + one.text
    setActive(-1)
    if (one.done) submit(whole)
    else setTyped(whole)
    input.current?.focus()
  }
  const key = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      const by = event.key === 'ArrowDown' ? 1 : -1
      setActive((now) =>
        suggestions.length === 0
          ? -1
          : (now + by + suggestions.length + (now < 0 && by < 0 ? 1 : 0)) % suggestions.length,
      )
    } else if (event.key === 'Enter') {
      event.preventDefault()
      if (shown && active >= 0) pick(active)
      else {
        submit(typed)
        setOpen(false)
      }
    } else if (event.key === 'Tab' && shown && active >= 0) {
      event.preventDefault()
      pick(active)
    } else if (event.key === 'Backspace' && typed === '' && tokens.length > 0) {
      apply(tokens.slice(0, -1), '')
    } else if (event.key === 'Escape') {
      event.preventDefault()
      if (open) setOpen(false)
      else input.current?.blur()
    }
  }
  return (
    <div className={cx('search tokens', open && 'on')} role="search">
      <Icon name="search" />
      {tokens.map((token, index) => (
        <span className="tok" key={`${token.key}:${token.value}`}>
          <i>{token.key}:</i>
          <b className="cut">{token.value}</b>
          <button
            type="button"
            className="x"
            aria-label={say(t.act.remove, { what: `${token.key}:${token.value}` })}
            onClick={() =>
              apply(
                tokens.filter((_, at) => at !== index),
                typed.trim(),
              )
            }
          >
            <Icon name="x" />
          </button>
        </span>
      ))}
      <input
        ref={input}
        value={typed}
        placeholder={tokens.length > 0 ? '' : placeholder}
        aria-label={label}
        role="combobox"
        aria-expanded={shown}
        aria-controls={`${id}list`}
        aria-autocomplete="list"
        aria-activedescendant={shown && active >= 0 ? `${id}${active}` : undefined}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => {
          setTyped(event.target.value)
          setOpen(true)
          setActive(-1)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={key}
      />
      {typed === '' && tokens.length === 0 && <kbd className="hide-s">/</kbd>}
      <ul className="sug" id={`${id}list`} role="listbox" aria-label={t.search.suggestions} hidden={!shown}>
        {suggestions.map((one, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys, by aria-activedescendant.
          <li
            key={one.text}
            id={`${id}${index}`}
            role="option"
            aria-selected={index === active}
            tabIndex={-1}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => pick(index)}
          >
            <b>{one.text}</b>
            {one.hint}
          </li>
        ))}
      </ul>
    </div>
  )
}
