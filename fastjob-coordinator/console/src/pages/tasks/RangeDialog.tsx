/** A range of time between two instants of the shown zone. */
import { useState } from 'react'
import { useI18n } from '../../i18n'
import { Button, Dialog } from '../../ui'

interface Props {
  since: string | undefined
  until: string | undefined
  onApply: (since: string | undefined, until: string | undefined) => void
  onClose: () => void
}

/** An instant as `datetime-local` wants it, in the browser's zone. */
function local(instant: string | undefined): string {
  if (!instant) return ''
  const at = new Date(instant)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

export function RangeDialog({ since, until, onApply, onClose }: Props) {
  const { t } = useI18n()
  const words = t.tasks.range
  const [from, setFrom] = useState(local(since))
  const [to, setTo] = useState(local(until))
  const wrong = from !== '' && to !== '' && from >= to
  const instant = (text: string) => (text === '' ? undefined : new Date(text).toISOString())
  return (
    <Dialog
      title={words.title}
      onClose={onClose}
      onSubmit={() => {
        if (!wrong) onApply(instant(from), instant(to))
      }}
      foot={
        <>
          <Button onClick={onClose}>{t.act.cancel}</Button>
          <Button type="submit" look="main" disabled={wrong ? words.wrong : false}>
            {words.apply}
          </Button>
        </>
      }
    >
      <div className="f">
        <label htmlFor="range-from">{words.from}</label>
        <input
          id="range-from"
          className="in"
          type="datetime-local"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
      </div>
      <div className="f">
        <label htmlFor="range-to">{words.to}</label>
        <div>
          <input
            id="range-to"
            className="in"
            type="datetime-local"
            value={to}
            onChange={(event) => setTo(event.target.value)}
            aria-invalid={wrong}
          />
          {wrong && (
            <p className="hint bad" role="alert">
              {words.wrong}
            </p>
          )}
        </div>
      </div>
    </Dialog>
  )
}
