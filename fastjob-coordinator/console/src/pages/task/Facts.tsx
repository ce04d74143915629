/** What a task is: why it was started, when, how late, how long, and its relatives. */
import { Link } from '@tanstack/react-router'
import { useStats } from '../../api/queries'
import type { TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { CopyButton, Duration, KeyValue, Message, Time, useNow } from '../../ui'
import { dueAt, fullName, isOpen, lateMs, type Shard, tookMs } from './shards'

/** Much longer than usual, and not just a few milliseconds. */
const UNUSUAL = 1.5
const UNUSUAL_MS = 2_000

export function Facts({
  task,
  shards,
  zone,
  jobExists,
}: {
  task: TaskView
  shards: readonly Shard[]
  zone: string | undefined
  /** There are statistics only of jobs that exist. */
  jobExists: boolean
}) {
  const { t, f, say } = useI18n()
  const open = isOpen(task.state)
  const now = useNow(open)
  const words = t.task.facts
  const week = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7 * 86_400_000).toISOString()
  const stats = useStats({ job: fullName(task), since: week }, { enabled: jobExists })
  const usual = stats.data?.total.run_time
  const late = lateMs(task, now)
  const took = tookMs(task, now)
  const long = took !== null && usual && usual.count > 4 && took > usual.p95_ms * UNUSUAL && took > UNUSUAL_MS
  const several = shards.length > 1
  const done = shards.filter((shard) => shard.last.state === 'succeeded').length
  const executors = [...new Set(shards.map((shard) => shard.last.executor).filter((one) => one !== null))]
  const cause = (t.cause as Record<string, string>)[task.cause] ?? task.cause
  const link = (id: number) => (
    <Link className="link mono" to="/tasks/$task" params={{ task: String(id) }}>
      {id}
    </Link>
  )
  return (
    <section className="sec tight">
      <KeyValue
        items={[
          [words.cause, cause],
          [words.due, <Time key="due" at={dueAt(task)} zone={zone} look="near" />],
          [words.late, late === null ? '–' : f.duration(late)],
          [
            open && task.started_at ? words.running : words.took,
            <span key="took">
              <Duration {...(open ? { from: task.started_at } : { ms: took })} />{' '}
              {usual && usual.count > 4 && (
                <span className={long ? 'wait' : 'grey'}>
                  {say(words.usually, { for: f.duration(usual.p50_ms) })}
                </span>
              )}
            </span>,
          ],
          several
            ? [words.shards, say(words.shardsOf, { done, of: shards.length })]
            : [words.attempts, f.n(task.attempts.length)],
          executors.length === 1 && [
            words.executor,
            <Link
              key="executor"
              className="link"
              to="/executors/$executor"
              params={{ executor: `${task.service}.${executors[0]}` }}
            >
              {executors[0]}
            </Link>,
          ],
          task.ended_at !== null && [
            words.ended,
            <Time key="ended" at={task.ended_at} zone={zone} look="near" />,
          ],
          task.parent !== null && [words.parent, link(task.parent)],
          task.reruns !== undefined && [words.reruns, link(task.reruns)],
          task.rerun_by !== undefined && [words.rerunBy, link(task.rerun_by)],
          task.trace_id !== undefined && [
            words.trace,
            <CopyButton key="trace" text={task.trace_id} label={words.copyTrace}>
              <span className="mono" data-tip={task.trace_id}>
                {task.trace_id.slice(0, 8)}…
              </span>
            </CopyButton>,
          ],
        ]}
      />
      {task.note && (
        <p className="grey task-note">
          <Message text={task.note} />
        </p>
      )}
    </section>
  )
}
