import { type FormEvent, useRef, useState } from 'react'
import { ApiError, session } from '../api/client'
import { useI18n } from '../i18n'
import { Button, Mark, ProblemNote } from '../ui'

/** One field for the token. A wrong token says only that. */
export function Login({ onDone }: { onDone: () => void }) {
  const { t, say, sayNodes } = useI18n()
  const [token, setToken] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const field = useRef<HTMLInputElement>(null)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setError(null)
    try {
      await session.signIn(token)
      onDone()
    } catch (failed) {
      setError(failed)
      setBusy(false)
      field.current?.select()
    }
  }
  const wrong = error instanceof ApiError && (error.status === 401 || error.status === 403)
  return (
    <main className="door">
      <form onSubmit={submit}>
        <div className="brand">
          <Mark />
          {t.app}
        </div>
        <h1>{t.login.title}</h1>
        <p>{sayNodes(t.login.to, { host: <span className="mono">{location.host}</span> })}</p>
        <label htmlFor="token">{t.login.token}</label>
        <input
          ref={field}
          className={wrong ? 'in no' : 'in'}
          id="token"
          name="token"
          type="password"
          value={token}
          // biome-ignore lint/a11y/noAutofocus: the page has this field alone.
          autoFocus
          autoComplete="current-password"
          aria-invalid={wrong}
          aria-describedby="token-note"
          onChange={(event) => setToken(event.target.value)}
        />
        <div id="token-note" role="alert">
          {wrong ? (
            <p className="bad small gap-s">{t.login.wrong}</p>
          ) : (
            error !== null && <ProblemNote error={error} />
          )}
        </div>
        <Button look="main" type="submit" busy={busy}>
          {t.login.submit}
        </Button>
        <p className="small">
          {sayNodes(say(t.login.hint, { name: '{name}' }), { name: <code>FASTJOB_TOKEN</code> })}
        </p>
      </form>
    </main>
  )
}
