import { useState } from 'react'
import { isUnknownCall } from '../../api/client'
import { actions, useAction, type useOverview } from '../../api/queries'
import type { Attention as Item } from '../../api/types'
import { useI18n } from '../../i18n'
import { translated } from '../../i18n/server'
import { waitsFor } from '../../i18n/waits'
import {
  Button,
  Confirm,
  cx,
  For,
  Go,
  ProblemNote,
  paths,
  Section,
  Skeleton,
  StatusIcon,
  Time,
  toast,
} from '../../ui'

/** What is wrong now, worst first, each with the next step. */
export function Attention({ query }: { query: ReturnType<typeof useOverview> }) {
  const { t, f } = useI18n()
  const { data, error, isPending, refetch } = query
  const items = data?.attention ?? []
  return (
    <Section
      title={t.overview.need.title}
      note={data && items.length > 0 ? f.n(items.length) : undefined}
      tight
    >
      {isPending ? (
        <ul className="panel need" aria-busy="true">
          {[52, 38].map((width) => (
            <li key={width}>
              <Skeleton width={14} height={14} />
              <Skeleton width={110} />
              <Skeleton width={`${width}%`} />
            </li>
          ))}
        </ul>
      ) : error && !data ? (
        isUnknownCall(error) ? (
          <p className="grey">{t.overview.need.missing}</p>
        ) : (
          <ProblemNote error={error} retry={refetch} />
        )
      ) : items.length === 0 ? (
        <div className="panel calm">
          <StatusIcon state="succeeded" />
          <b>{t.overview.need.none}</b>
          <span className="grey cut">{t.overview.need.noneDetail}</span>
        </div>
      ) : (
        <>
          <ul className="panel need">
            {items.map((item) => (
              <Line
                key={`${item.kind} ${item.service} ${item.job} ${item.task} ${item.executor}`}
                item={item}
              />
            ))}
          </ul>
          {data?.attention_more && <p className="grey small gap-s">{t.overview.need.more}</p>}
        </>
      )}
    </Section>
  )
}

function Line({ item }: { item: Item }) {
  const { t, say, language } = useI18n()
  const why = (t.overview.why as Record<string, string>)[item.kind] ?? '{message}'
  const known = language === 'en' ? null : (translated(item.message, t) ?? waitsFor(item.message, t))
  const words = say(why, { message: known ?? item.message })
  const name = jobOf(item) ?? item.executor ?? item.service ?? item.kind
  const beside =
    item.kind === 'alarm_given_up' && !item.job
      ? t.overview.need.channel
      : name === item.service
        ? null
        : item.service
  const open = ['no_executor', 'runs_long'].includes(item.kind)
  return (
    <li>
      <StatusIcon state={item.kind} label={(t.state as Record<string, string>)[item.kind] ?? item.kind} />
      <span className="cut">
        <Go className="b" to={placeOf(item)}>
          {name}
        </Go>{' '}
        <span className="grey">{beside}</span>
      </span>
      <span className="why cut" data-tip={words}>
        {words}
      </span>
      <span className="grey nw">
        {item.since && (open ? <For since={item.since} /> : <Time at={item.since} />)}
      </span>
      <Steps item={item} />
    </li>
  )
}

/** The name of its job, which comes as `service.name`. */
function jobOf({ job, service }: Item): string | null {
  return job && service && job.startsWith(`${service}.`) ? job.slice(service.length + 1) : job
}

/** Where its name leads. */
function placeOf(item: Item): string {
  if (item.job) return paths.job(item.job)
  if (item.kind === 'alarm_given_up') return '/alarms'
  return item.kind === 'store' || item.kind === 'clock' ? '/cluster' : '/executors'
}

/** What to do. What looks or repeats is outlined; what stops is not the nearest to the hand. */
function Steps({ item }: { item: Item }) {
  const { t, say } = useI18n()
  const [stopping, setStopping] = useState(false)
  const rerun = useAction(actions.rerun, 'tasks')
  const task = item.task
  const link = (to: string, words: string, go = true) => (
    <Go className={cx('btn s', go && 'go')} to={to}>
      {words}
    </Go>
  )
  if (item.kind === 'failing' && task !== null) {
    return (
      <span className="acts">
        {link(paths.task(task), t.act.log, false)}
        <Button
          small
          className="go"
          busy={rerun.isPending}
          onClick={() =>
            rerun.mutate([task], {
              onSuccess: (started) =>
                toast.done(
                  say(t.overview.need.started, { task: String(started.task) }),
                  <Go to={paths.task(started.task)}>{t.act.open}</Go>,
                ),
              onError: toast.failed,
            })
          }
        >
          {t.act.rerun}
        </Button>
      </span>
    )
  }
  if (item.kind === 'runs_long' && task !== null) {
    return (
      <span className="acts">
        <Button small onClick={() => setStopping(true)}>
          {t.act.stop}
        </Button>
        {link(paths.task(task), t.act.log)}
        {stopping && (
          <Confirm
            title={say(t.overview.need.stopTitle, { task: String(task), job: item.job ?? '' })}
            verb={t.act.stop}
            danger
            onClose={() => setStopping(false)}
            onConfirm={async () => {
              await actions.stop(task)
              toast.done(say(t.overview.need.stopped, { task: String(task) }))
            }}
          >
            <p className="grey">{t.overview.need.stopDetail}</p>
          </Confirm>
        )}
      </span>
    )
  }
  const job = item.job ? `job=${encodeURIComponent(item.job)}&` : ''
  const step =
    item.kind === 'no_executor' || item.kind === 'lost_executor'
      ? link('/executors', t.overview.act.executors)
      : item.kind === 'alarm_given_up'
        ? link('/alarms', t.overview.act.alarms)
        : item.kind === 'store' || item.kind === 'clock'
          ? link('/cluster', t.overview.act.cluster)
          : link(
              task !== null ? paths.task(task) : `/tasks?${job}state=queued&state=running`,
              t.overview.act.tasks,
            )
  return <span className="acts">{step}</span>
}
