/** What the panel shows of a task: every error whole, what it waits for, its note and its result. */
import type { TaskView } from '../../api/types'
import { type I18n, useI18n } from '../../i18n'
import { waitsFor } from '../../i18n/waits'
import { type Peeked, paths, prettyJson, Status, Time, usePeek } from '../../ui'
import { dueAt, isOpen, reasonKey } from '../task/shards'

/** Errors of one task, at most: its own page has all of them. */
const MOST = 20

export function useTaskPeek(rows: readonly TaskView[]) {
  const i18n = useI18n()
  return usePeek<TaskView>(
    rows,
    (task) => task.id,
    (task) => peeked(task, i18n),
  )
}

function peeked(task: TaskView, { t, say }: I18n): Peeked {
  const reasons = t.reason as Record<string, string>
  const several = (task.attempts[0]?.shards ?? 1) > 1
  const failed = task.attempts.filter((one) => one.message ?? one.reason).reverse()
  const waits = isOpen(task.state) ? task.attempts.find((one) => one.waits_for)?.waits_for : undefined
  const executors = [...new Set(task.attempts.map((one) => one.executor).filter((one) => one !== null))]
  const single = failed.length === 1 && !several
  return {
    title: `${task.job} ${task.id}`,
    facts: (
      <>
        <Status state={task.state} />
        <span>{task.service}</span>
        {executors.length > 0 && <span>{executors.join(', ')}</span>}
        <Time at={dueAt(task)} look="near" />
      </>
    ),
    parts: [
      ...(waits ? [{ head: t.peek.waits, text: waitsFor(waits, t) ?? waits }] : []),
      ...failed.slice(0, MOST).map((one) => ({
        head: single
          ? t.peek.error
          : say(several ? t.peek.errorOfShard : t.peek.errorOf, {
              number: String(one.number),
              shard: String(one.shard),
            }),
        text: one.message ?? reasons[reasonKey(one.reason)] ?? one.reason ?? '',
        bad: one.state === 'failed',
      })),
      ...(task.note ? [{ head: t.peek.note, text: task.note }] : []),
      ...(task.result !== null && task.result !== ''
        ? [{ head: t.peek.result, text: prettyJson(task.result).text }]
        : []),
    ],
    to: paths.task(task.id),
    toLabel: t.peek.log,
  }
}
