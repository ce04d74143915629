import type { ReactNode } from 'react'
import { ApiError } from '../api/client'
import { useI18n } from '../i18n'
import { createStore, useStore } from '../lib/store'
import { Button } from './Button'
import { Icon } from './Icon'
import { problemWords } from './Problem'

interface ToastItem {
  id: number
  look: 'ok' | 'bad'
  text: ReactNode
  /** An error, whose words depend on the language. */
  error?: ApiError
  /** A link or a button behind the text. */
  more?: ReactNode
}

const toasts = createStore<ToastItem[]>([])
let last = 0

function push(look: ToastItem['look'], text: ReactNode, more?: ReactNode, error?: ApiError) {
  last += 1
  const id = last
  toasts.set((now) => [...now.slice(-3), { id, look, text, more, ...(error && { error }) }])
  setTimeout(() => drop(id), look === 'bad' || more ? 12_000 : 5_000)
}
const drop = (id: number) => toasts.set((now) => now.filter((one) => one.id !== id))

/** Short messages about what was just done: `toast.done('Started task 41', <Link …/>)`, `toast.failed(error)`. */
export const toast = {
  done: (text: ReactNode, more?: ReactNode) => push('ok', text, more),
  failed: (error: unknown) =>
    error instanceof ApiError
      ? push('bad', error.message, undefined, error)
      : push('bad', error instanceof Error ? error.message : String(error)),
}

export function Toasts() {
  const { t } = useI18n()
  const list = useStore(toasts)
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((one) => (
        <div key={one.id} className="toast">
          <Icon name={one.look === 'ok' ? 's-ok' : 's-bad'} className={one.look} />
          <span>{one.error ? <ErrorWords error={one.error} /> : one.text}</span>
          {one.more}
          <Button look="bare" small icon="x" label={t.act.close} onClick={() => drop(one.id)} />
        </div>
      ))}
    </div>
  )
}

function ErrorWords({ error }: { error: ApiError }) {
  const { title, detail, original } = problemWords(error, useI18n())
  return (
    <>
      {detail || title}
      {original && (
        <small className="original grey" lang="en">
          {original}
        </small>
      )}
    </>
  )
}
