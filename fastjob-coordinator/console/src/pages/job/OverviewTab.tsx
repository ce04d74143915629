/** When a job fires, how its last tasks ended, and how long they take. */
import { Link, useNavigate } from '@tanstack/react-router'
import { useNextFires, useStats } from '../../api/queries'
import type { JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { offsetName } from '../../i18n/format'
import { scheduleWords } from '../../schedule/words'
import { KeyValue, ProblemNote, Section, Skeleton, Status, Strip, Time } from '../../ui'
import { expressionOf, scheduleOf } from '../jobs/schedule'
import { fullName } from '../task/shards'
import { RunTimeChart } from './RunTimeChart'

const FIRES = 10

export function OverviewTab({ job }: { job: JobView }) {
  const { t, say, f } = useI18n()
  const navigate = useNavigate()
  const name = fullName(job)
  const since = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7 * 86_400_000).toISOString()
  const stats = useStats({ job: name, since })
  const total = stats.data?.total
  const ran = total ? total.succeeded + total.failed + total.stopped : 0
  const open = job.activity
  // Not known is not none.
  const counted = (n: number | null | undefined) => (typeof n === 'number' ? f.n(n) : '–')
  const tasks = (state: string) => (
    <Link className="link" to="/tasks" search={{ job: name, state: [state] }}>
      {counted(state === 'running' ? open?.running : open?.queued)}
    </Link>
  )
  return (
    <>
      <section className="sec">
        <KeyValue
          items={[
            [t.job.running, tasks('running')],
            [t.job.waiting, tasks('queued')],
            [`${t.job.ran} · ${t.job.figures}`, total ? f.n(ran) : <Skeleton key="s" width={40} />],
            [
              t.job.failed,
              total ? (
                <Link
                  key="failed"
                  className={total.failed > 0 ? 'bad' : undefined}
                  to="/tasks"
                  search={{ job: name, state: ['failed'], since: '7d' }}
                >
                  {f.n(total.failed)}
                </Link>
              ) : (
                '–'
              ),
            ],
            [
              t.job.typical,
              total?.run_time
                ? `${f.duration(total.run_time.p50_ms)} · ${t.job.slow} ${f.duration(total.run_time.p95_ms)}`
                : '–',
            ],
            [t.job.late, total?.lateness ? f.duration(total.lateness.p95_ms) : '–'],
          ]}
        />
      </section>
      <div className="cols">
        <NextFires job={job} />
        <Section
          title={t.job.last}
          end={
            <Link className="link" to="/tasks" search={{ job: name }}>
              {t.job.showTasks}
            </Link>
          }
        >
          {open && open.ends.length > 0 ? (
            <>
              <Strip
                ends={open.ends}
                onOpen={(task) => void navigate({ to: '/tasks/$task', params: { task: String(task) } })}
              />
              <ul className="outcomes">
                {open.ends.slice(0, 8).map((end) => (
                  <li key={end.task}>
                    <Link className="mono" to="/tasks/$task" params={{ task: String(end.task) }}>
                      {end.task}
                    </Link>
                    <Status state={end.state} />
                    <span className="grey num">
                      {end.started_at
                        ? f.duration(Date.parse(end.ended_at) - Date.parse(end.started_at))
                        : '–'}
                    </span>
                    <span className="grey num">
                      <Time at={end.ended_at} />
                    </span>
                  </li>
                ))}
              </ul>
            </>
          ) : (
            <p className="grey">{t.job.lastNone}</p>
          )}
        </Section>
      </div>
      <Section title={t.job.runTime} note={stats.data && say(t.job.runTimeOf, { bucket: stats.data.bucket })}>
        {stats.error ? (
          <ProblemNote error={stats.error} retry={() => void stats.refetch()} />
        ) : stats.data && total?.run_time ? (
          <RunTimeChart
            buckets={stats.data.items}
            label={`${t.job.typical} ${f.duration(total.run_time.p50_ms)}, ${t.job.slow} ${f.duration(total.run_time.p95_ms)}`}
          />
        ) : stats.data ? (
          <p className="grey">{t.job.noFigures}</p>
        ) : (
          <Skeleton width="100%" height={88} />
        )}
      </Section>
    </>
  )
}

function NextFires({ job }: { job: JobView }) {
  const { t, say, f, language } = useI18n()
  const schedule = scheduleOf(job)
  const fires = useNextFires(fullName(job), FIRES)
  const zone = schedule?.zone
  const list = fires.data?.fires ?? []
  return (
    <Section title={t.job.nextFires} note={schedule ? scheduleWords(job.schedule, language) : undefined}>
      {schedule && <p className="mono grey">{expressionOf(job)}</p>}
      {fires.error ? (
        <ProblemNote error={fires.error} retry={() => void fires.refetch()} />
      ) : list.length === 0 && fires.data ? (
        <p className="grey">{t.job.noFires}</p>
      ) : (
        <>
          {job.enabled === false && <p className="wait">{t.job.disabledFires}</p>}
          <ol className="fires of-job">
            {list.map((at, index) => {
              // A change of the zone's offset between two fires: summer time begins or ends.
              const before = list[index - 1]
              const here = f.zone(zone)
              const shift = before && offsetName(here, new Date(before)) !== offsetName(here, new Date(at))
              return (
                <li key={at}>
                  <span className="grey">{f.fireDay(at, zone)}</span>
                  <span>{f.clock(at, zone)}</span>
                  <span className="wait">
                    {shift ? say(t.job.gap, { shift: offsetName(here, new Date(at)) }) : ''}
                  </span>
                  <span className="grey num">
                    <Time at={at} zone={zone} />
                  </span>
                </li>
              )
            })}
          </ol>
        </>
      )}
    </Section>
  )
}
