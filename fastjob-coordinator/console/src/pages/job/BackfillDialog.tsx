/** Starts one task for each past fire between two instants. */
import { useRef, useState } from 'react'
import { actions, useAction } from '../../api/queries'
import type { JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { ZoneSelect } from '../../schedule/ZoneSelect'
import { toInstant } from '../../schedule/zone'
import { withKey } from '../../start/request'
import { useStartKey } from '../../start/useStartKey'
import { Button, Checkbox, Dialog, ProblemNote, toast } from '../../ui'
import { scheduleOf } from '../jobs/schedule'
import { fullName } from '../task/shards'

const MAX = 1_000

export function BackfillDialog({ job, onClose }: { job: JobView; onClose: () => void }) {
  const { t, f, say } = useI18n()
  const words = t.job.backfill
  // A schedule is read in its own zone, so its past is, too.
  const [zone, setZone] = useState(() => scheduleOf(job)?.zone ?? f.zone(undefined))
  const [from, setFrom] = useState('')
  const [until, setUntil] = useState('')
  const [max, setMax] = useState('100')
  const [again, setAgain] = useState(false)
  const backfill = useAction(actions.backfill, 'tasks')
  const once = useStartKey()
  /** What "until now" means, which stays the same while the request does. */
  const asked = useRef({ text: '', now: '' })
  const start = toInstant(from, zone)
  const end = toInstant(until, zone)
  const wrong = start !== null && end !== null && start >= end
  const count = Number(max)
  const valid =
    start !== null &&
    (until === '' || end !== null) &&
    !wrong &&
    Number.isInteger(count) &&
    count >= 1 &&
    count <= MAX
  const submit = async () => {
    if (!valid || start === null) return
    const text = JSON.stringify([start, end, count, again])
    if (asked.current.text !== text) asked.current = { text, now: new Date().toISOString() }
    const request = { from: start, until: end ?? asked.current.now, max: count, ...(again && { again }) }
    // Without `again`, no fire is started twice anyway. With it, the key says that this is the same backfill.
    const sent = again ? withKey(request, once.keyFor(request)) : request
    const done = await backfill.mutateAsync([fullName(job), sent]).catch((): null => null)
    if (!done) return
    once.answered()
    const words_ = [
      say(words.done, { n: done.tasks.length }),
      done.existing?.length ? say(words.existing, { n: done.existing.length }) : '',
      done.more ? words.more : '',
    ]
    toast.done(words_.filter(Boolean).join('. '))
    onClose()
  }
  return (
    <Dialog
      title={say(words.title, { job: fullName(job) })}
      onClose={onClose}
      onSubmit={() => void submit()}
      foot={
        <>
          <Button onClick={onClose}>{t.act.cancel}</Button>
          <Button type="submit" look="main" busy={backfill.isPending} disabled={!valid}>
            {words.confirm}
          </Button>
        </>
      }
    >
      <p className="grey dlg-p">{words.detail}</p>
      <div className="f">
        <label htmlFor="backfill-from">{words.from}</label>
        <input
          id="backfill-from"
          className="in"
          type="datetime-local"
          value={from}
          data-autofocus
          required
          onChange={(event) => setFrom(event.target.value)}
        />
      </div>
      <div className="f">
        <label htmlFor="backfill-until">{words.until}</label>
        <div>
          <input
            id="backfill-until"
            className="in"
            type="datetime-local"
            value={until}
            aria-invalid={wrong}
            onChange={(event) => setUntil(event.target.value)}
          />
          {wrong && (
            <p className="hint bad" role="alert">
              {t.tasks.range.wrong}
            </p>
          )}
        </div>
      </div>
      <div className="f">
        <label htmlFor="backfill-zone">{t.top.zone}</label>
        <div>
          <ZoneSelect id="backfill-zone" value={zone} onChange={setZone} label={t.top.zone} short />
          {start !== null && (
            <p className="hint">
              {say(words.inUtc, {
                from: f.whole(Date.parse(start), 'UTC'),
                until: end === null ? t.time.now : f.whole(Date.parse(end), 'UTC'),
              })}
            </p>
          )}
        </div>
      </div>
      <div className="f">
        <label htmlFor="backfill-max">{words.max}</label>
        <input
          id="backfill-max"
          className="in w160"
          type="number"
          min={1}
          max={MAX}
          value={max}
          onChange={(event) => setMax(event.target.value)}
        />
      </div>
      <Checkbox visible label={words.again} checked={again} onChange={setAgain} />
      {backfill.error && <ProblemNote error={backfill.error} />}
    </Dialog>
  )
}
