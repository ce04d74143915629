/** One task: what failed first, then the facts, the time line, and the log that follows while it runs. */
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useRef, useState } from 'react'
import { ApiError } from '../../api/client'
import { useLiveTasks } from '../../api/live'
import { actions, useAction, useJob, useTask } from '../../api/queries'
import type { TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { waitsFor } from '../../i18n/waits'
import { useKeys } from '../../lib/keys'
import {
  Banner,
  Button,
  CopyButton,
  ErrorCard,
  Go,
  JsonView,
  Kbd,
  Menu,
  type MenuEntry,
  PageSkeleton,
  paths,
  SplitButton,
  Status,
  StatusIcon,
  Tabs,
  toast,
  useStateWord,
} from '../../ui'
import { AttemptsTable } from './AttemptsTable'
import { Facts } from './Facts'
import { FailCard } from './FailCard'
import { GanttView } from './GanttView'
import { LogPanel } from './log/LogPanel'
import { Progress } from './Progress'
import { TASK_TABS, type TaskTab } from './search'
import { fullName, isOpen, type Shard, shardsOf, shardToShow } from './shards'
import { useNeighbours } from './useNeighbours'
import { useTaskActions } from './useTaskActions'

const StartDialog = lazy(() =>
  import('../../start/StartDialog').then((found) => ({ default: found.StartDialog })),
)
const route = getRouteApi('/tasks/$task')

export default function TaskPage() {
  const { task: text } = route.useParams()
  const id = Number(text)
  const task = useTask(id, { enabled: Number.isSafeInteger(id) })
  const { t } = useI18n()
  if (!Number.isSafeInteger(id) || (task.error && !task.data)) {
    return (
      <section className="sec">
        <ErrorCard
          error={task.error ?? new ApiError(404, '', `${t.task.title} ${text}`, '')}
          retry={() => void task.refetch()}
        />
      </section>
    )
  }
  return task.data && task.data.id === id ? <Loaded key={id} task={task.data} /> : <PageSkeleton />
}

function Loaded({ task }: { task: TaskView }) {
  const { t, f, say } = useI18n()
  const navigate = useNavigate()
  const search = route.useSearch()
  const open = isOpen(task.state)
  useLiveTasks(open ? [task.id] : [])
  const job = useJob(fullName(task))
  const definition = job.data?.data
  const schedule = definition?.schedule
  const zone = typeof schedule === 'object' ? schedule.zone : undefined
  const shards = useMemo(() => shardsOf(task), [task])
  const several = (task.attempts[0]?.shards ?? 1) > 1 || shards.length > 1
  const act = useTaskActions()
  const silence = useAction(actions.silence, 'alarms')
  const [changing, setChanging] = useState(false)

  const tab: TaskTab = search.tab ?? 'log'
  const shard = shards.find((one) => one.no === search.shard) ?? shardToShow(shards)
  const attempt = shard?.attempts.find((one) => one.number === search.attempt) ?? shard?.last
  const go = (change: Record<string, unknown>) =>
    void navigate({
      to: '.',
      search: (now: Record<string, unknown>) => ({ ...now, ...change }),
      replace: true,
    })
  const showLog = (no: number, number: number) => {
    go({ tab: undefined, shard: no, attempt: number, line: undefined })
    document.getElementById('task-tabs')?.scrollIntoView({ block: 'start' })
  }
  useNeighbours(task)
  useKeys({
    s: () => open && task.state !== 'stopping' && act.stop(task),
    r: () => !open && act.again(task),
    e: () => void navigate({ to: '/jobs/$job/edit', params: { job: fullName(task) } }),
  })
  const acts = useRef<HTMLDivElement>(null)
  // The button that stopped it gives way to another one, which takes over the focus.
  useEffect(() => {
    if (!open && document.activeElement === document.body) acts.current?.querySelector('button')?.focus()
  }, [open])

  const failedShards =
    several && shards.some((one) => one.last.state === 'failed' || one.last.state === 'stopped')
  const more: MenuEntry[] = [
    { label: t.task.act.job, icon: 'jobs', to: `/jobs/${fullName(task)}` },
    { label: t.task.act.edit, icon: 'edit', to: `/jobs/${fullName(task)}/edit` },
    null,
    {
      label: t.task.act.silence,
      icon: 'bell',
      onSelect: () =>
        silence
          .mutateAsync([{ job: fullName(task), for: '2h' }])
          .then(
            (made) => toast.done(say(t.task.silenced, { job: task.job, at: f.near(made.until) })),
            toast.failed,
          ),
    },
  ]
  const again: MenuEntry[] = [
    { label: t.task.act.changes, icon: 'edit', onSelect: () => setChanging(true) },
    ...(failedShards
      ? [{ label: t.task.act.failedShards, icon: 'redo' as const, onSelect: () => act.again(task, 'failed') }]
      : []),
  ]
  const waits = open ? task.attempts.find((one) => one.waits_for)?.waits_for : undefined
  const tabs = TASK_TABS.map((one) => ({
    id: one,
    label: t.task.tabs[one],
    count: one === 'attempts' && task.attempts.length > 1 ? task.attempts.length : undefined,
  }))
  return (
    <>
      {task.unanswered && <Banner>{say(t.task.unanswered, { node: task.unanswered })}</Banner>}
      <nav className="crumbs" aria-label={t.pages}>
        <Link to="/jobs">{t.nav.jobs}</Link>
        <span>/</span>
        <Link to="/jobs/$job" params={{ job: fullName(task) }}>
          {task.job}
        </Link>
        <span>/</span>
        <Link to="/tasks" search={{ job: fullName(task) }}>
          {t.nav.tasks}
        </Link>
      </nav>
      <div className="head under">
        <h1>
          <Link to="/jobs/$job" params={{ job: fullName(task) }}>
            {task.job}
          </Link>
        </h1>
        <span role="status">
          <Status state={task.state} />
        </span>
        <CopyButton text={String(task.id)} label={t.task.copyId}>
          <span className="mono">{task.id}</span>
        </CopyButton>
        <div className="acts wide" ref={acts}>
          <span className="grey small hide-s">
            <Kbd>j</Kbd> <Kbd>k</Kbd> {t.task.nextPrevious}
          </span>
          {open ? (
            <Button icon="s-stop" disabled={task.state === 'stopping'} onClick={() => act.stop(task)}>
              {t.task.act.stop}
            </Button>
          ) : (
            <SplitButton
              icon="redo"
              onClick={() => act.again(task)}
              entries={again}
              menuLabel={t.task.act.changes}
            >
              {t.task.act.again}
            </SplitButton>
          )}
          <Menu entries={more} label={t.task.act.more}>
            <Button icon="more" label={t.task.act.more} />
          </Menu>
        </div>
      </div>
      <FailCard
        task={task}
        shards={shards}
        onLog={showLog}
        actions={
          definition && (
            <Go className="btn s" to={`${paths.job(fullName(task))}/edit`}>
              {t.task.act.edit}
            </Go>
          )
        }
      />
      {waits && (
        <section className="sec tight">
          <p className="st wait">
            <StatusIcon state="queued" /> {say(t.task.waits, { what: waitsFor(waits, t) ?? waits })}
          </p>
        </section>
      )}
      <Progress task={task} />
      <Facts task={task} shards={shards} zone={zone} jobExists={definition !== undefined} />
      <GanttView shards={shards} several={several} open={open} zone={zone} onPick={showLog} />
      <div id="task-tabs" className="task-tabs">
        <Tabs
          tabs={tabs}
          current={tab}
          label={t.task.title}
          onSelect={(id) => go({ tab: id === 'log' ? undefined : id, line: undefined })}
        />
      </div>
      <TabBody
        tab={tab}
        task={task}
        several={several}
        zone={zone}
        onLog={showLog}
        definition={definition}
        missing={job.error !== null}
      >
        <section className="sec tight">
          <LogPanel
            task={task.id}
            choice={{ shard: shard?.no ?? 0, attempt: attempt?.number }}
            open={attempt ? attempt.ended_at === null : open}
            failed={attempt?.state === 'failed'}
            startedAt={attempt?.started_at ?? null}
            executor={attempt?.executor ?? null}
            zone={zone}
            line={search.line}
            onLine={(line) => go({ line })}
          >
            <LogPickers
              shards={shards}
              several={several}
              shard={shard}
              attempt={attempt?.number}
              onPick={(no, number) => go({ shard: no, attempt: number, line: undefined })}
            />
          </LogPanel>
        </section>
      </TabBody>
      {act.dialog}
      {changing && definition && (
        <Suspense>
          <StartDialog job={definition} rerun={task} onClose={() => setChanging(false)} />
        </Suspense>
      )}
    </>
  )
}

interface TabProps {
  tab: TaskTab
  task: TaskView
  several: boolean
  zone: string | undefined
  definition: import('../../api/types').JobView | undefined
  missing: boolean
  onLog: (shard: number, attempt: number) => void
  /** The log. */
  children: ReactNode
}

function TabBody({ tab, task, several, zone, definition, missing, onLog, children }: TabProps) {
  const { t, say } = useI18n()
  if (tab === 'log') return children
  if (tab === 'attempts') return <AttemptsTable task={task} several={several} zone={zone} onLog={onLog} />
  if (tab === 'result') {
    return (
      <section className="sec tight">
        {task.result !== null ? (
          <JsonView value={task.result} />
        ) : (
          <p className="grey">{isOpen(task.state) ? t.task.result.open : t.task.result.none}</p>
        )}
      </section>
    )
  }
  if (tab === 'param') {
    return (
      <section className="sec tight">
        {task.param !== null ? (
          <JsonView value={task.param} />
        ) : (
          <>
            <p className="grey">{t.task.param.none}</p>
            {definition && <JsonView value={definition.param} title={t.task.param.job} />}
          </>
        )}
      </section>
    )
  }
  return (
    <section className="sec tight">
      {definition ? (
        <>
          <p className="grey">{say(t.task.definition.now, { revision: String(definition.revision) })}</p>
          <JsonView value={plainDefinition(definition)} />
        </>
      ) : (
        missing && <p className="grey">{t.task.definition.deleted}</p>
      )}
    </section>
  )
}

/** The definition without what the coordinator adds to it. */
function plainDefinition(job: import('../../api/types').JobView): object {
  const {
    activity: _activity,
    next_fire_at: _next,
    declared: _declared,
    overrides: _overrides,
    ...rest
  } = job
  return rest
}

interface PickerProps {
  shards: readonly Shard[]
  several: boolean
  shard: Shard | undefined
  attempt: number | undefined
  onPick: (shard: number, attempt: number | undefined) => void
}

/** More shards than this are chosen from a menu. */
const SEGMENTS = 8

function LogPickers({ shards, several, shard, attempt, onPick }: PickerProps) {
  const { t, say } = useI18n()
  const word = useStateWord()
  if (!shard) return null
  const shardName = (one: Shard) =>
    `${say(t.task.gantt.shard, { shard: String(one.no) })}, ${word(one.last.state)}`
  return (
    <>
      {several && shards.length <= SEGMENTS && (
        <div className="seg" role="group" aria-label={t.task.log.shard}>
          {shards.map((one) => (
            <button
              key={one.no}
              type="button"
              aria-label={shardName(one)}
              aria-pressed={one.no === shard.no}
              aria-current={one.no === shard.no ? 'true' : undefined}
              onClick={() => onPick(one.no, undefined)}
            >
              <StatusIcon state={one.last.state} still />
              {one.no}
            </button>
          ))}
        </div>
      )}
      {several && shards.length > SEGMENTS && (
        <Menu
          align="start"
          label={t.task.log.shard}
          entries={shards.map((one) => ({
            label: shardName(one),
            checked: one.no === shard.no,
            onSelect: () => onPick(one.no, undefined),
          }))}
        >
          <Button small iconEnd="down">
            {say(t.task.gantt.shard, { shard: String(shard.no) })}
          </Button>
        </Menu>
      )}
      {shard.attempts.length > 1 && (
        <Menu
          align="start"
          label={t.task.log.attemptPick}
          entries={shard.attempts.map((one) => ({
            label: `${say(t.task.gantt.attempt, { number: String(one.number) })} · ${word(one.state)}`,
            checked: one.number === attempt,
            onSelect: () => onPick(shard.no, one.number),
          }))}
        >
          <Button small iconEnd="down">
            {say(t.task.log.attempt, { number: String(attempt ?? 1) })}
          </Button>
        </Menu>
      )}
    </>
  )
}
