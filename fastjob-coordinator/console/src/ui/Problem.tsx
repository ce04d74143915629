import type { ReactNode } from 'react'
import { ApiError, isUnknownCall } from '../api/client'
import { type I18n, useI18n } from '../i18n'
import { Button } from './Button'
import { Icon } from './Icon'

/** The words of an error: the coordinator's own, as they came. */
export function problemWords(error: unknown, t: I18n['t']): { title: string; detail: string } {
  if (error instanceof ApiError) {
    if (error.status === 0) return { title: t.problem.network, detail: t.problem.networkDetail }
    if (isUnknownCall(error)) return { title: t.problem.missing, detail: t.problem.missingDetail }
    return { title: error.title || `HTTP ${error.status}`, detail: error.detail }
  }
  return { title: t.problem.title, detail: error instanceof Error ? error.message : String(error) }
}

function Fields({ error }: { error: unknown }) {
  if (!(error instanceof ApiError) || error.fields.length === 0) return null
  return (
    <ul className="fields">
      {error.fields.map((one) => (
        <li key={one.field + one.message}>
          {one.field && <code>{one.field}</code>} {one.message}
        </li>
      ))}
    </ul>
  )
}

/** A card for a part of a page that could not be read, or for what failed. `children` are facts below the words. */
export function ErrorCard({
  error,
  retry,
  children,
  actions,
}: {
  error: unknown
  retry?: () => void
  children?: ReactNode
  actions?: ReactNode
}) {
  const { t } = useI18n()
  const { title, detail } = problemWords(error, t)
  return (
    <div className="err" role="alert">
      <Icon name="s-bad" className="bad" />
      <div>
        <h2>{title}</h2>
        {detail && <p>{detail}</p>}
        <Fields error={error} />
        {children}
      </div>
      <div className="acts">
        {actions}
        {retry && <Button onClick={retry}>{t.act.retry}</Button>}
      </div>
    </div>
  )
}

/** The same in one line, for dialogs and small parts. */
export function ProblemNote({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useI18n()
  const { title, detail } = problemWords(error, t)
  const quiet = isUnknownCall(error)
  return (
    <div className={quiet ? 'note quiet' : 'note'} role={quiet ? 'note' : 'alert'}>
      <Icon name={quiet ? 'info' : 's-bad'} className={quiet ? 'grey' : 'bad'} />
      <div>
        {quiet ? title : detail || title}
        <Fields error={error} />
      </div>
      {retry && !quiet && (
        <Button look="bare" small onClick={retry}>
          {t.act.retry}
        </Button>
      )}
    </div>
  )
}
