/** The columns of the list of jobs. */
import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { JobView } from '../../api/types'
import { type I18n, useI18n } from '../../i18n'
import { scheduleWords } from '../../schedule/words'
import {
  Button,
  type Column,
  cx,
  Icon,
  paths,
  RowLink,
  RowMenu,
  Status,
  Strip,
  Switch,
  Time,
  useNow,
} from '../../ui'
import { fullName } from '../task/shards'
import { expressionOf, scheduleOf } from './schedule'
import type { JobActions } from './useJobActions'

const dim = (job: JobView) => (job.enabled === false ? 'grey' : undefined)

export function useJobColumns({ start, setEnabled, menu }: JobActions): Column<JobView>[] {
  const i18n = useI18n()
  const navigate = useNavigate()
  return useMemo(
    () =>
      columnsOf({
        i18n,
        start,
        setEnabled,
        menu,
        open: (task) => void navigate({ to: '/tasks/$task', params: { task: String(task) } }),
      }),
    [i18n, start, setEnabled, menu, navigate],
  )
}

interface Needs extends Pick<JobActions, 'start' | 'setEnabled' | 'menu'> {
  i18n: I18n
  open: (task: number) => void
}

function columnsOf({ i18n, open, ...act }: Needs): Column<JobView>[] {
  const { t, say, language } = i18n
  const words = t.jobs.columns
  return [
    {
      id: 'enabled',
      head: <span className="sr">{words.enabled}</span>,
      width: 44,
      className: 'c-sw',
      cell: (job) => (
        <Switch
          on={job.enabled !== false}
          label={say(job.enabled !== false ? t.jobs.switchOff : t.jobs.switchOn, { job: job.name })}
          onChange={(on) => act.setEnabled(job, on)}
        />
      ),
    },
    {
      id: 'name',
      head: words.name,
      className: 'c-name',
      cell: (job) => (
        <span className={dim(job)}>
          <span className="l1">
            <RowLink row className="b" to={paths.job(fullName(job))}>
              {job.name}
            </RowLink>
          </span>
          <span className="l2">{job.description || job.handler}</span>
        </span>
      ),
    },
    {
      id: 'service',
      head: words.service,
      width: 96,
      className: 'hide-m',
      cell: (job) => <span className={dim(job)}>{job.service}</span>,
    },
    {
      id: 'schedule',
      head: words.schedule,
      width: 186,
      className: 'c-sched',
      cell: (job) => (
        <span className={dim(job)}>
          <span className="l1" data-tip={expressionOf(job)}>
            {scheduleWords(job.schedule, language)}
          </span>
          <span className="l2 mono">{expressionOf(job)}</span>
        </span>
      ),
    },
    { id: 'last', head: words.last, width: 166, className: 'c-last', cell: (job) => <Last job={job} /> },
    {
      id: 'strip',
      head: words.strip,
      width: 138,
      className: 'hide-s',
      cell: (job) => <Strip ends={job.activity?.ends ?? []} onOpen={open} />,
    },
    { id: 'next', head: words.next, width: 112, className: 'c-next', cell: (job) => <Next job={job} /> },
    {
      id: 'labels',
      head: words.labels,
      width: 150,
      className: 'hide-l',
      cell: (job) => (
        <span className="tags">
          {Object.entries(job.labels ?? {}).map(([key, value]) => (
            <RowLink key={key} className="tag" to={`/jobs?label=${encodeURIComponent(`${key}=${value}`)}`}>
              {key} {value}
            </RowLink>
          ))}
        </span>
      ),
    },
    {
      id: 'acts',
      head: <span className="sr">{words.actions}</span>,
      width: 24,
      className: 'hide-s acts-over',
      cell: (job) => {
        const last = job.activity?.ends[0]
        return (
          <span className="row-acts">
            <Button small onClick={() => act.start(job)}>
              {t.act.start}
            </Button>
            {last && (
              <RowLink
                className="btn icon s"
                aria-label={t.jobs.act.log}
                data-tip={t.jobs.act.log}
                to={paths.task(last.task)}
              >
                <Icon name="log" />
              </RowLink>
            )}
            <RowMenu entries={() => act.menu(job)} label={say(t.jobs.act.more, { job: job.name })}>
              <Button small icon="more" label={say(t.jobs.act.more, { job: job.name })} />
            </RowMenu>
          </span>
        )
      },
    },
  ]
}

/** What it does now, else how its last task ended. */
function Last({ job }: { job: JobView }) {
  const { t, say } = useI18n()
  const { running, queued, ends } = job.activity ?? { running: 0, queued: 0, ends: [] }
  const last = ends[0]
  if (running) {
    return (
      <>
        <span className="l1">
          <Status state="running" />
        </span>
        <span className="l2">{say(t.jobs.runningNow, { n: running })}</span>
      </>
    )
  }
  if (queued && job.enabled !== false && (!last || Date.parse(job.next_fire_at ?? '') !== 0)) {
    return (
      <>
        <span className="l1">
          <Status state="queued" />
        </span>
        <span className="l2">{say(t.jobs.waitingNow, { n: queued })}</span>
      </>
    )
  }
  if (!last) {
    return (
      <span className="l1 grey">
        <Status state="none" />
      </span>
    )
  }
  return (
    <>
      <span className="l1">
        <Status state={last.state} />
      </span>
      <span className="l2">
        <Time at={last.ended_at} />
        {last.started_at && (
          <>
            {' · '}
            <Took from={last.started_at} to={last.ended_at} />
          </>
        )}
      </span>
    </>
  )
}

function Took({ from, to }: { from: string; to: string }) {
  const { t, f, say } = useI18n()
  return <>{say(t.time.took, { for: f.duration(Date.parse(to) - Date.parse(from)) })}</>
}

function Next({ job }: { job: JobView }) {
  const { t, say } = useI18n()
  const now = useNow(job.next_fire_at !== null)
  const schedule = scheduleOf(job)
  if (job.enabled === false)
    return <span className={cx('l1', 'grey')}>{schedule ? t.jobs.off : t.jobs.none}</span>
  if (job.next_fire_at && Date.parse(job.next_fire_at) <= now) return <span className="l1">{t.time.now}</span>
  if (job.next_fire_at) {
    return (
      <>
        <span className="l1">
          <Time at={job.next_fire_at} zone={schedule?.zone} />
        </span>
        <span className="l2">
          <Time at={job.next_fire_at} zone={schedule?.zone} look="near" />
        </span>
      </>
    )
  }
  if (schedule?.fixed_delay) {
    return (
      <>
        <span className="l1">{t.jobs.afterEnd}</span>
        <span className="l2">+ {schedule.fixed_delay}</span>
      </>
    )
  }
  return <span className="l1 grey">{say(t.jobs.none)}</span>
}
