/** Silences a job, a channel, or a job on a channel for some time. */
import { useState } from 'react'
import { useFindJobs } from '../../api/findJobs'
import { actions, useAction, useChannels } from '../../api/queries'
import { useI18n } from '../../i18n'
import { Button, Dialog, ProblemNote, Seg, Select, toast } from '../../ui'

const SPANS = ['1h', '2h', '8h', '24h', '7d'] as const

export function SilenceDialog({ onClose }: { onClose: () => void }) {
  const { t, f, say } = useI18n()
  const words = t.alarms.silence
  const [job, setJob] = useState<string | null>(null)
  const [channel, setChannel] = useState<string | null>(null)
  const [span, setSpan] = useState<(typeof SPANS)[number]>('2h')
  const [reason, setReason] = useState('')
  const [text, setText] = useState<string | null>(null)
  const found = useFindJobs(text)
  const channels = useChannels()
  const silence = useAction(actions.silence, 'alarms')
  const submit = async () => {
    const request = { for: span, ...(job && { job }), ...(channel && { channel }), ...(reason && { reason }) }
    const made = await silence.mutateAsync([request]).catch((): null => null)
    if (!made) return
    toast.done(say(words.made, { at: f.near(made.until) }))
    onClose()
  }
  return (
    <Dialog
      title={words.title}
      onClose={onClose}
      onSubmit={() => void submit()}
      foot={
        <>
          <Button onClick={onClose}>{t.act.cancel}</Button>
          <Button type="submit" look="main" busy={silence.isPending}>
            {words.confirm}
          </Button>
        </>
      }
    >
      <div className="f">
        <label htmlFor="silence-job">{words.job}</label>
        <Select
          id="silence-job"
          value={job}
          onChange={setJob}
          placeholder={words.everyJob}
          clearable={words.everyJob}
          free
          options={found.jobs.map((one) => ({ value: `${one.service}.${one.name}` }))}
          onSearch={setText}
          searching={found.search.searching}
        />
      </div>
      <div className="f">
        <label htmlFor="silence-channel">{words.channel}</label>
        <Select
          id="silence-channel"
          value={channel}
          onChange={setChannel}
          placeholder={words.everyChannel}
          clearable={words.everyChannel}
          options={(channels.data?.items ?? []).map((one) => ({ value: one.name }))}
        />
      </div>
      <div className="f">
        <span className="lab">{words.for}</span>
        <Seg
          label={words.for}
          value={span}
          onChange={setSpan}
          options={SPANS.map((value) => ({ value, label: value }))}
        />
      </div>
      <div className="f">
        <label htmlFor="silence-reason">{words.reason}</label>
        <input
          id="silence-reason"
          className="in"
          value={reason}
          maxLength={200}
          onChange={(event) => setReason(event.target.value)}
        />
      </div>
      {silence.error && <ProblemNote error={silence.error} />}
    </Dialog>
  )
}
