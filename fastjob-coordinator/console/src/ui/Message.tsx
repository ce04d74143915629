/** Messages of the coordinator and of executors, in the language of the page and with its times. */
import { useCallback } from 'react'
import { useI18n } from '../i18n'
import { messageIn } from '../i18n/server'

export function useMessage(): (message: string) => { text: string; original?: string } {
  const i18n = useI18n()
  return useCallback((message) => messageIn(message, i18n), [i18n])
}

/** A message in a line; where it is translated, what the coordinator wrote is in the tip. */
export function Message({ text: message, className }: { text: string; className?: string }) {
  const { text, original } = useMessage()(message)
  return (
    <span className={className} data-tip={original}>
      {text}
    </span>
  )
}

/** What the coordinator wrote, below its translation. */
export function Original({ text }: { text: string | undefined }) {
  const { t } = useI18n()
  if (!text) return null
  return (
    <small className="original grey" lang="en">
      <span className="sr">{t.server.original}: </span>
      {text}
    </small>
  )
}
