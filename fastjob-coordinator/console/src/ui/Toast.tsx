import type { ReactNode } from 'react'
import { ApiError } from '../api/client'
import { useI18n } from '../i18n'
import { createStore, useStore } from '../lib/store'
import { Button } from './Button'
import { Icon } from './Icon'

interface ToastItem {
  id: number
  look: 'ok' | 'bad'
  text: ReactNode
  /** A link or a button behind the text. */
  more?: ReactNode
}

const toasts = createStore<ToastItem[]>([])
let last = 0

function push(look: ToastItem['look'], text: ReactNode, more?: ReactNode) {
  last += 1
  const id = last
  toasts.set((now) => [...now.slice(-3), { id, look, text, more }])
  setTimeout(() => drop(id), look === 'bad' || more ? 12_000 : 5_000)
}
const drop = (id: number) => toasts.set((now) => now.filter((one) => one.id !== id))

/** Short messages about what was just done: `toast.done('Started task 41', <Link …/>)`, `toast.failed(error)`. */
export const toast = {
  done: (text: ReactNode, more?: ReactNode) => push('ok', text, more),
  failed: (error: unknown) =>
    push('bad', error instanceof ApiError || error instanceof Error ? error.message : String(error)),
}

export function Toasts() {
  const { t } = useI18n()
  const list = useStore(toasts)
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((one) => (
        <div key={one.id} className="toast">
          <Icon name={one.look === 'ok' ? 's-ok' : 's-bad'} className={one.look} />
          <span>{one.text}</span>
          {one.more}
          <Button look="bare" small icon="x" label={t.act.close} onClick={() => drop(one.id)} />
        </div>
      ))}
    </div>
  )
}
