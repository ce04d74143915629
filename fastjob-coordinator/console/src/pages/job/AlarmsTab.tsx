/** Whom a job notifies, what it has notified of, and its silences. */
import { Link } from '@tanstack/react-router'
import { actions, itemsOf, useAction, useAlarms, useSilences } from '../../api/queries'
import { useSearchOn } from '../../api/searchOn'
import type { JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Pager, PeekText, ProblemNote, Section, Status, Time, toast } from '../../ui'
import { alarmWords, useAlarmPeek } from '../alarms/peek'
import { fullName } from '../task/shards'

/** Alarms on this tab; the page of alarms has all. */
const SHOWN = 20
const SPANS = ['1h', '2h', '8h', '24h', '7d']

export function AlarmsTab({ job }: { job: JobView }) {
  const i18n = useI18n()
  const { t, f, say } = i18n
  const words = t.job.alarms
  const name = fullName(job)
  const past = useAlarms({ job: name })
  const searched = useSearchOn(past, name, { wanted: SHOWN })
  const silences = useSilences()
  const silence = useAction(actions.silence, 'alarms')
  const end = useAction(actions.unsilence, 'alarms')
  const mine = (silences.data?.items ?? []).filter((one) => one.job === name || one.job === null)
  const alarms = itemsOf(past.data)
  const { peek, panel } = useAlarmPeek(alarms.slice(0, SHOWN))
  return (
    <>
      <Section title={words.channels} tight>
        {(job.alarms?.length ?? 0) > 0 ? (
          <span className="tags">
            {job.alarms?.map((channel) => (
              <span key={channel} className="tag">
                {channel}
              </span>
            ))}
          </span>
        ) : (
          <p className="grey">{words.none}</p>
        )}
      </Section>
      <Section title={words.silences}>
        <ul className="plain">
          {mine.map((one) => (
            <li key={one.id}>
              {one.channel ?? t.alarms.silence.everyChannel} · <Time at={one.until} look="near" />{' '}
              <span className="grey">{one.reason}</span>{' '}
              <Button look="bare" small onClick={() => end.mutateAsync([one.id]).catch(toast.failed)}>
                {t.alarms.silence.end}
              </Button>
            </li>
          ))}
        </ul>
        <p className="span-row">
          <span className="grey">{words.silence}</span>
          {SPANS.map((span) => (
            <Button
              key={span}
              small
              onClick={() =>
                silence
                  .mutateAsync([{ job: name, for: span }])
                  .then(
                    (made) => toast.done(say(t.task.silenced, { job: job.name, at: f.near(made.until) })),
                    toast.failed,
                  )
              }
            >
              {span}
            </Button>
          ))}
        </p>
      </Section>
      <Section title={words.past}>
        {past.error ? (
          <ProblemNote error={past.error} retry={() => void past.refetch()} />
        ) : alarms.length === 0 ? (
          !past.isPending && !past.hasNextPage && <p className="grey">{words.noPast}</p>
        ) : (
          <ul className="outcomes alarms">
            {alarms.slice(0, SHOWN).map((alarm) => (
              <li key={alarm.id}>
                <Status state={alarm.state} />
                <PeekText text={alarmWords(alarm, i18n).text} onPeek={() => peek(alarm)} focusable />
                <span className="grey">{alarm.channel}</span>
                <span className="grey num">
                  {alarm.task !== null && (
                    <Link className="link mono" to="/tasks/$task" params={{ task: String(alarm.task) }}>
                      {alarm.task}
                    </Link>
                  )}{' '}
                  <Time at={alarm.at} />
                </span>
              </li>
            ))}
          </ul>
        )}
        {(searched.searching || searched.stopped) && (
          <Pager list={past} search={searched} n={alarms.length} />
        )}
      </Section>
      {panel}
    </>
  )
}
