/** Every attempt of a task, with its whole error. */
import { Link } from '@tanstack/react-router'
import type { AttemptView, TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { waitsFor } from '../../i18n/waits'
import { Button, type Column, Duration, Status, Table, Time } from '../../ui'
import { reasonKey } from './shards'

interface Props {
  task: TaskView
  several: boolean
  zone: string | undefined
  onLog: (shard: number, attempt: number) => void
}

export function AttemptsTable({ task, several, zone, onLog }: Props) {
  const { t, say } = useI18n()
  const words = t.task.attempts
  const columns: Column<AttemptView>[] = [
    ...(several ? [{ id: 'shard', head: words.shard, width: 72, cell: (a: AttemptView) => a.shard }] : []),
    {
      id: 'number',
      head: words.number,
      width: 84,
      className: 'c-job',
      cell: (a) => (
        <button type="button" data-row className="link" onClick={() => onLog(a.shard, a.number)}>
          {say(t.task.gantt.attempt, { number: String(a.number) })}
        </button>
      ),
    },
    {
      id: 'state',
      head: words.state,
      width: 124,
      className: 'c-st',
      cell: (a) => <Status state={a.state} />,
    },
    {
      id: 'executor',
      head: words.executor,
      width: 140,
      cell: (a) =>
        a.executor ? (
          <Link
            className="grey"
            to="/executors/$executor"
            params={{ executor: `${task.service}.${a.executor}` }}
          >
            {a.executor}
          </Link>
        ) : (
          '–'
        ),
    },
    {
      id: 'due',
      head: words.due,
      width: 132,
      className: 'c-due num',
      cell: (a) => <Time at={a.due_at} zone={zone} look="near" />,
    },
    {
      id: 'took',
      head: words.took,
      width: 96,
      className: 'num',
      cell: (a) =>
        a.started_at ? (
          <Duration {...(a.ended_at ? { from: a.started_at, to: a.ended_at } : { from: a.started_at })} />
        ) : (
          '–'
        ),
    },
    {
      id: 'error',
      head: words.error,
      className: 'c-res wraps',
      cell: (a) => (
        <span className={a.message && a.state === 'failed' ? undefined : 'grey'}>
          {a.message ??
            (a.waits_for && (waitsFor(a.waits_for, t) ?? a.waits_for)) ??
            (t.reason as Record<string, string>)[reasonKey(a.reason)] ??
            a.reason ??
            ''}
        </span>
      ),
    },
    {
      id: 'log',
      head: <span className="sr">{words.log}</span>,
      width: 72,
      className: 'num hide-s',
      cell: (a) => (
        <Button small look="bare" icon="log" label={words.log} onClick={() => onLog(a.shard, a.number)} />
      ),
    },
  ]
  return (
    <Table
      label={t.task.tabs.attempts}
      className="tasks attempts"
      columns={columns}
      rows={task.attempts}
      rowKey={(a) => a.id}
      rowName={(a) => say(t.task.gantt.attempt, { number: String(a.number) })}
    />
  )
}
