/** One executor: what it runs, what it can run, and whether it gets work. */
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { actions, itemsOf, useAction, useExecutor, useTasks } from '../../api/queries'
import { type SearchOn, useSearchOn } from '../../api/searchOn'
import type { ExecutorView, TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import {
  Button,
  Confirm,
  Duration,
  ErrorCard,
  Gauge,
  Go,
  KeyValue,
  PageHead,
  Pager,
  PageSkeleton,
  ProblemNote,
  paths,
  Section,
  Skeleton,
  Status,
  Time,
  toast,
} from '../../ui'
import { useTaskActions } from '../task/useTaskActions'

const LATELY = 12

export default function ExecutorPage() {
  const { executor: name } = useParams({ from: '/executors/$executor' })
  const executor = useExecutor(name)
  if (executor.error && !executor.data) {
    return (
      <section className="sec">
        <ErrorCard error={executor.error} retry={() => void executor.refetch()} />
      </section>
    )
  }
  return executor.data ? <Loaded executor={executor.data} /> : <PageSkeleton title={name} />
}

function Loaded({ executor }: { executor: ExecutorView }) {
  const { t, f, say } = useI18n()
  const words = t.executor
  const full = `${executor.service}.${executor.name}`
  const running = useTasks({
    executor: executor.name,
    service: executor.service,
    state: ['running', 'stopping'],
  })
  const lately = useTasks({
    executor: executor.name,
    service: executor.service,
    since: hoursAgo(6),
    limit: LATELY,
  })
  // The store has no index of executors: a page of tasks may end early.
  const runningSearch = useSearchOn(running, full)
  const latelySearch = useSearchOn(lately, full, { limit: LATELY, wanted: LATELY })
  const drain = useAction(actions.drain, 'executors')
  const resume = useAction(actions.resume, 'executors')
  const act = useTaskActions()
  const [asked, setAsked] = useState(false)
  const live = executor.connected
  return (
    <>
      <PageHead
        title={executor.name}
        sub={<Status state={executor.state} />}
        crumbs={
          <>
            <Go to="/executors">{t.nav.executors}</Go>
            <span>/</span>
            <span>{executor.service}</span>
          </>
        }
      >
        {executor.drained ? (
          <Button
            look="main"
            busy={resume.isPending}
            onClick={() =>
              resume
                .mutateAsync([full])
                .then(() => toast.done(say(words.resumed, { executor: executor.name })), toast.failed)
            }
          >
            {words.resume}
          </Button>
        ) : (
          <Button onClick={() => setAsked(true)}>{words.drain}</Button>
        )}
      </PageHead>
      <section className="sec tight">
        <KeyValue
          items={[
            [words.facts.service, executor.service],
            [
              words.facts.address,
              <span key="a" className="mono">
                {executor.address || '–'}
              </span>,
            ],
            executor.lost_at
              ? [
                  words.facts.lost,
                  <span key="l" className="bad">
                    <Time at={executor.lost_at} />{' '}
                    {executor.lost_attempts > 0 &&
                      say(words.facts.lostAttempts, { n: executor.lost_attempts })}
                  </span>,
                ]
              : [words.facts.since, <Time key="s" at={executor.since} />],
            [words.facts.seen, <Time key="h" at={executor.last_seen} />],
            live && [words.facts.places, <Gauge key="g" used={executor.attempts} of={executor.capacity} />],
            live && [words.facts.waiting, f.n(executor.waiting)],
            live && [words.facts.cpu, f.percent(executor.cpu, 0)],
            live && [
              words.facts.memory,
              `${f.bytes(executor.memory_free)} / ${f.bytes(executor.memory_total)}`,
            ],
            [words.facts.version, executor.version || '–'],
            Object.keys(executor.labels).length > 0 && [
              words.facts.labels,
              <span key="t" className="tags">
                {Object.entries(executor.labels).map(([key, value]) => (
                  <span key={key} className="tag">
                    {key} {value}
                  </span>
                ))}
              </span>,
            ],
          ]}
        />
      </section>
      <Section title={words.running}>
        <Tasks
          list={running}
          search={runningSearch}
          tasks={itemsOf(running.data)}
          none={words.idle}
          executor={executor.name}
          onStop={act.stop}
        />
      </Section>
      <Section
        title={words.lately}
        end={
          <Go className="link" to={`/tasks?executor=${encodeURIComponent(executor.name)}`}>
            {words.tasks}
          </Go>
        }
      >
        <Tasks
          list={lately}
          search={latelySearch}
          tasks={itemsOf(lately.data).filter((task) => task.ended_at)}
          none={words.nothing}
          executor={executor.name}
        />
      </Section>
      <Section title={words.handlers}>
        {Object.keys(executor.handlers).length === 0 ? (
          <p className="grey">{words.noHandlers}</p>
        ) : (
          <ul className="plain">
            {Object.entries(executor.handlers).map(([handler, description]) => (
              <li key={handler}>
                <Go className="b" to={`/handlers?text=${encodeURIComponent(handler)}`}>
                  {handler}
                </Go>{' '}
                <span className="grey">{description}</span>
              </li>
            ))}
          </ul>
        )}
      </Section>
      {asked && (
        <Confirm
          title={say(words.drainTitle, { executor: executor.name })}
          verb={words.drain}
          onClose={() => setAsked(false)}
          onConfirm={async () => {
            await drain.mutateAsync([full])
            toast.done(say(words.drained, { executor: executor.name }))
          }}
        >
          <p>{words.drainDetail}</p>
        </Confirm>
      )}
      {act.dialog}
    </>
  )
}

/** Whole hours, so that the list is not read again each second. */
function hoursAgo(hours: number): string {
  return new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - hours * 3_600_000).toISOString()
}

interface TasksProps {
  list: ReturnType<typeof useTasks>
  search: SearchOn
  tasks: readonly TaskView[]
  none: string
  executor: string
  onStop?: (task: TaskView) => void
}

function Tasks({ list, search, tasks, none, executor, onStop }: TasksProps) {
  const { t } = useI18n()
  const more = (search.searching || search.stopped) && <Pager list={list} search={search} n={tasks.length} />
  if (tasks.length === 0) {
    if (list.error) return <ProblemNote error={list.error} retry={() => void list.refetch()} />
    return more || (list.isPending ? <Skeleton width="40%" /> : <p className="grey">{none}</p>)
  }
  return (
    <>
      <ul className="outcomes five">
        {tasks.map((task) => {
          const here = task.attempts.find((one) => one.executor === executor)
          return (
            <li key={task.id}>
              <Status state={task.state} />
              <span className="cut">
                <Go className="b" to={paths.task(task.id)}>
                  {task.job}
                </Go>{' '}
                <span className="grey mono">{task.id}</span>
              </span>
              <span className="grey num">
                {here?.started_at ? (
                  <Duration from={here.started_at} {...(here.ended_at && { to: here.ended_at })} />
                ) : (
                  '–'
                )}
              </span>
              <span className="grey num">
                {onStop ? (
                  <Button small look="bare" onClick={() => onStop(task)}>
                    {t.act.stop}
                  </Button>
                ) : (
                  <Time at={task.ended_at} />
                )}
              </span>
            </li>
          )
        })}
      </ul>
      {more}
    </>
  )
}
