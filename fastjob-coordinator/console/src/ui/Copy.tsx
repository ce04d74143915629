import { type ReactNode, useState } from 'react'
import { useI18n } from '../i18n'
import { useSettings } from '../lib/settings'
import { Button } from './Button'

/** Copies a text. Without HTTPS the browser has no clipboard for pages; then a hidden field is copied. */
export async function copyText(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text)
      return true
    }
  } catch {
    // Not allowed: try the other one.
  }
  const field = document.createElement('textarea')
  field.value = text
  field.setAttribute('readonly', '')
  field.className = 'sr'
  document.body.append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  return done
}

export function CopyButton({
  text,
  label,
  children,
}: {
  text: string
  label?: string
  children?: ReactNode
}) {
  const { t } = useI18n()
  const [copied, setCopied] = useState(false)
  const name = copied ? t.act.copied : (label ?? t.act.copy)
  return (
    <Button
      look="bare"
      small
      icon={copied ? 'check' : 'copy'}
      {...(children === undefined && { label: name })}
      onClick={async () => {
        if (!(await copyText(text))) return
        setCopied(true)
        setTimeout(() => setCopied(false), 1500)
      }}
    >
      {children}
      {copied && (
        <span className="sr" role="status">
          {t.act.copied}
        </span>
      )}
    </Button>
  )
}

/** A block of code with a title and a copy button. */
export function Code({ title, text, children }: { title: ReactNode; text: string; children?: ReactNode }) {
  return (
    <div className="code">
      <header>
        {title}
        <span className="end">
          <CopyButton text={text} />
        </span>
      </header>
      <pre tabIndex={0}>{children ?? text}</pre>
    </div>
  )
}

/** A param or a result: JSON is indented, anything else is text. Never HTML. */
export function JsonView({ value, title }: { value: unknown; title?: ReactNode }) {
  const { t } = useI18n()
  const { showParams } = useSettings()
  const [shown, setShown] = useState(showParams)
  if (value === null || value === undefined || value === '') return <p className="grey">{t.json.empty}</p>
  const { text, isJson } = prettyJson(value)
  if (!shown) {
    return (
      <Button look="bare" small icon="eye" onClick={() => setShown(true)}>
        {t.json.hidden}
      </Button>
    )
  }
  return <Code title={title ?? (isJson ? 'JSON' : t.json.text)} text={text} />
}

export function prettyJson(value: unknown): { text: string; isJson: boolean } {
  if (typeof value !== 'string') return { text: JSON.stringify(value, null, 2), isJson: true }
  // Numbers beyond what JavaScript can hold must not be changed by showing them.
  if (/^\s*[[{]/.test(value) && !/\d{16,}/.test(value)) {
    try {
      return { text: JSON.stringify(JSON.parse(value), null, 2), isJson: true }
    } catch {
      return { text: value, isJson: false }
    }
  }
  return { text: value, isJson: false }
}
