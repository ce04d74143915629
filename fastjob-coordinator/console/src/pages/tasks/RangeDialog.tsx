/** A range of time between two instants, in a zone that is shown and can be changed. */
import { useState } from 'react'
import { useI18n } from '../../i18n'
import { ZoneSelect } from '../../schedule/ZoneSelect'
import { toInstant, toLocal } from '../../schedule/zone'
import { Button, Dialog } from '../../ui'

interface Props {
  since: string | undefined
  until: string | undefined
  /** The zone of the job, if the tasks are those of one. */
  zone: string | undefined
  onApply: (since: string | undefined, until: string | undefined) => void
  onClose: () => void
}

export function RangeDialog({ since, until, zone: first, onApply, onClose }: Props) {
  const { t, f } = useI18n()
  const words = t.tasks.range
  const [zone, setZone] = useState(() => first ?? f.zone(undefined))
  const [from, setFrom] = useState(() => toLocal(since ?? '', zone))
  const [to, setTo] = useState(() => toLocal(until ?? '', zone))
  const [start, end] = [toInstant(from, zone) ?? undefined, toInstant(to, zone) ?? undefined]
  const wrong = start !== undefined && end !== undefined && start >= end
  return (
    <Dialog
      title={words.title}
      onClose={onClose}
      onSubmit={() => {
        if (!wrong) onApply(start, end)
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
          step="1"
          data-autofocus
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
            step="1"
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
      <div className="f">
        <label htmlFor="range-zone">{t.top.zone}</label>
        <ZoneSelect id="range-zone" value={zone} onChange={setZone} label={t.top.zone} short />
      </div>
    </Dialog>
  )
}
