import type { ReactNode } from 'react'
import { ApiError, isUnknownCall } from '../api/client'
import { type I18n, useI18n } from '../i18n'
import { kindWords, translated } from '../i18n/server'
import { Button } from './Button'
import { Icon } from './Icon'
import { Message, Original } from './Message'

export interface ProblemWords {
  title: string
  detail: string
  /** The coordinator's own words, where `detail` is a translation of them. */
  original?: string
}

/** The words of an error: the coordinator's own, in English as they came, else translated with the original. */
export function problemWords(
  error: unknown,
  { t, f, language }: Pick<I18n, 't' | 'f' | 'language'>,
): ProblemWords {
  if (error instanceof ApiError) {
    if (error.status === 0) return { title: t.problem.network, detail: t.problem.networkDetail }
    if (isUnknownCall(error)) return { title: t.problem.missing, detail: t.problem.missingDetail }
    const own = { title: error.title || `HTTP ${error.status}`, detail: error.detail }
    if (language === 'en') return own
    const kind = kindWords(error.kind, t)
    const detail = translated(error.detail, t, f) ?? kind?.detail
    if (detail === undefined) return own
    return {
      title: kind?.title ?? own.title,
      detail,
      // The fields below repeat what the detail of an invalid request says.
      ...(own.detail && error.fields.length === 0 && { original: own.detail }),
    }
  }
  return { title: t.problem.title, detail: error instanceof Error ? error.message : String(error) }
}

function Fields({ error }: { error: unknown }) {
  if (!(error instanceof ApiError) || error.fields.length === 0) return null
  return (
    <ul className="fields">
      {error.fields.map((one) => (
        <li key={one.field + one.message}>
          {one.field && <code>{one.field}</code>} <Message text={one.message} />
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
  const i18n = useI18n()
  const { t } = i18n
  const { title, detail, original } = problemWords(error, i18n)
  return (
    <div className="err" role="alert">
      <Icon name="s-bad" className="bad" />
      <div>
        <h2>{title}</h2>
        {detail && <p>{detail}</p>}
        <Original text={original} />
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
  const i18n = useI18n()
  const { t } = i18n
  const { title, detail, original } = problemWords(error, i18n)
  const quiet = isUnknownCall(error)
  return (
    <div className={quiet ? 'note quiet' : 'note'} role={quiet ? 'note' : 'alert'}>
      <Icon name={quiet ? 'info' : 's-bad'} className={quiet ? 'grey' : 'bad'} />
      <div>
        {quiet ? title : detail || title}
        {!quiet && <Original text={original} />}
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
