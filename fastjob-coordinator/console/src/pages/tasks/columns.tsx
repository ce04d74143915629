/** The columns of the list of tasks. Users choose which ones they see. */
import { useMemo } from 'react'
import type { TaskView } from '../../api/types'
import { type I18n, useI18n } from '../../i18n'
import { waitsFor } from '../../i18n/waits'
import { Button, type Column, PeekText, paths, RowLink, Status, Time, useNow } from '../../ui'
import { dueAt, fullName, isOpen, lateMs, reasonKey, tookMs } from '../task/shards'
import type { TaskActions } from '../task/useTaskActions'

export const COLUMNS = ['cause', 'due', 'late', 'took', 'attempt', 'executor', 'result'] as const
export type ColumnId = (typeof COLUMNS)[number]

/** The bar of the 95th percentile, in percent of the cell. */
const P95 = 62

export function useTaskColumns(
  usual: ReadonlyMap<string, number>,
  shown: ReadonlySet<ColumnId>,
  act: TaskActions,
  ofOneJob: boolean,
  peek: (task: TaskView) => void,
): Column<TaskView>[] {
  const i18n = useI18n()
  const { stop, again } = act
  return useMemo(
    () => columnsOf({ i18n, usual, shown, stop, again, ofOneJob, peek }),
    [i18n, usual, shown, stop, again, ofOneJob, peek],
  )
}

interface Needs extends Pick<TaskActions, 'stop' | 'again'> {
  i18n: I18n
  usual: ReadonlyMap<string, number>
  shown: ReadonlySet<ColumnId>
  ofOneJob: boolean
  peek: (task: TaskView) => void
}

function columnsOf({ i18n, usual, shown, stop, again, ofOneJob, peek }: Needs): Column<TaskView>[] {
  const { t, f, say } = i18n
  const words = t.tasks.columns
  const causes = t.cause as Record<string, string>
  const job: Column<TaskView> = {
    id: 'job',
    head: words.job,
    width: 196,
    className: 'c-job',
    cell: (task) => (
      <>
        <RowLink row className="b" to={paths.task(task.id)}>
          {task.job}
        </RowLink>{' '}
        <span className="grey">
          {task.service}
          {(task.attempts[0]?.shards ?? 1) > 1 &&
            ` ${say(t.tasks.shards, { n: task.attempts[0]?.shards ?? 1 })}`}
        </span>
      </>
    ),
  }
  const number: Column<TaskView> = {
    ...job,
    head: t.task.title,
    width: 130,
    cell: (task) => (
      <RowLink row className="b mono" to={paths.task(task.id)}>
        {task.id}
      </RowLink>
    ),
  }
  const all: Record<ColumnId, Column<TaskView>> = {
    cause: {
      id: 'cause',
      head: words.cause,
      width: 90,
      className: 'grey hide-l',
      cell: (task) => (task.reruns !== undefined ? t.tasks.again : (causes[task.cause] ?? task.cause)),
    },
    due: {
      id: 'due',
      head: words.due,
      width: 96,
      className: 'c-due num',
      cell: (task) => <Time at={dueAt(task)} look="near" />,
    },
    late: {
      id: 'late',
      head: words.late,
      width: 82,
      className: 'num hide-n',
      cell: (task) => <Late task={task} />,
    },
    took: {
      id: 'took',
      head: words.took,
      width: 132,
      className: 'hide-s',
      cell: (task) => <Took task={task} p95={usual.get(fullName(task))} />,
    },
    attempt: {
      id: 'attempt',
      head: words.attempt,
      width: 68,
      className: 'grey hide-n',
      cell: (task) => f.n(Math.max(1, ...task.attempts.map((one) => one.number))),
    },
    executor: {
      id: 'executor',
      head: words.executor,
      width: 96,
      className: 'grey hide-s',
      cell: (task) => {
        const names = [...new Set(task.attempts.map((one) => one.executor).filter((one) => one !== null))]
        return (
          <span data-tip={names.length > 1 ? names.join(', ') : undefined}>
            {names.length > 1 ? `${names[0]} +${names.length - 1}` : (names[0] ?? '–')}
          </span>
        )
      },
    },
    result: {
      id: 'result',
      head: words.result,
      className: 'c-res',
      cell: (task) => <Outcome task={task} onPeek={() => peek(task)} />,
    },
  }
  const acts: Column<TaskView> = {
    id: 'acts',
    head: <span className="sr">{t.table.actions}</span>,
    width: 24,
    className: 'hide-s acts-over',
    cell: (task) => (
      <span className="row-acts">
        {isOpen(task.state) ? (
          <Button small icon="s-stop" label={t.act.stop} onClick={() => stop(task)} />
        ) : (
          <Button small icon="redo" label={t.act.rerun} onClick={() => again(task)} />
        )}
      </span>
    ),
  }
  return [
    {
      id: 'state',
      head: words.state,
      width: 104,
      className: 'c-st',
      cell: (task) => <Status state={task.state} />,
    },
    ofOneJob ? number : job,
    ...COLUMNS.filter((id) => shown.has(id)).map((id) => all[id]),
    acts,
  ]
}

function Late({ task }: { task: TaskView }) {
  const { f } = useI18n()
  const now = useNow(isOpen(task.state) && !task.started_at)
  const late = lateMs(task, now)
  if (late === null) return <span className="grey">–</span>
  return <span className={late > 5_000 ? 'wait' : 'grey'}>{f.duration(late)}</span>
}

function Took({ task, p95 }: { task: TaskView; p95: number | undefined }) {
  const { t, f, say } = useI18n()
  const running = isOpen(task.state) && task.started_at !== null
  const now = useNow(running)
  const took = tookMs(task, now)
  if (took === null) return <span className="grey">–</span>
  const shown = f.duration(running ? Math.floor(took / 1000) * 1000 : took)
  const share = p95 ? Math.min(100, (took / Math.max(p95, 1)) * P95) : 0
  const over = p95 !== undefined && took > p95 * 1.05
  return (
    <span className="dur" data-tip={p95 ? say(t.tasks.p95, { for: shown, p95: f.duration(p95) }) : undefined}>
      <span className="num">{shown}</span>
      {p95 !== undefined && (
        <svg aria-hidden="true">
          <rect className="p" width={`${P95}%`} height="4" y="1" rx="1" />
          <rect className={over ? 'o' : running ? 'r' : 'a'} width={`${share}%`} height="4" y="1" rx="1" />
        </svg>
      )}
    </span>
  )
}

/** The error, what it waits for, its progress, or its result: one line, whole in the panel at the side. */
function Outcome({ task, onPeek }: { task: TaskView; onPeek: () => void }) {
  const { t } = useI18n()
  const failed = [...task.attempts]
    .reverse()
    .find((one) => one.state === 'failed' && (one.message ?? one.reason))
  const waits = task.attempts.find((one) => one.waits_for)?.waits_for
  const progress = task.attempts.find((one) => one.progress)?.progress
  const reasons = t.reason as Record<string, string>
  const open = isOpen(task.state)
  const error = failed ? (failed.message ?? reasons[reasonKey(failed.reason)] ?? failed.reason) : null
  const text =
    (open
      ? ((waits && waitsFor(waits, t)) ??
        waits ??
        (progress ? progress.note || `${progress.done} / ${progress.total}` : null))
      : null) ??
    (task.state === 'failed' || open ? error : null) ??
    task.note ??
    task.result ??
    ''
  return <PeekText text={text} quiet={task.state !== 'failed'} onPeek={onPeek} />
}
