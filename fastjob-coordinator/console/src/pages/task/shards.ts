/** The shards of a task with their attempts, and what a page says about them. */
import type { AttemptView, TaskView } from '../../api/types'

export interface Shard {
  no: number
  attempts: AttemptView[]
  /** The newest attempt. */
  last: AttemptView
}

/** By shard, from 0. */
export function shardsOf(task: Pick<TaskView, 'attempts'>): Shard[] {
  const shards = new Map<number, AttemptView[]>()
  for (const attempt of task.attempts) {
    const list = shards.get(attempt.shard)
    if (list) list.push(attempt)
    else shards.set(attempt.shard, [attempt])
  }
  return [...shards.entries()]
    .sort(([a], [b]) => a - b)
    .flatMap(([no, attempts]) => {
      const sorted = [...attempts].sort((a, b) => a.number - b.number)
      const last = sorted[sorted.length - 1]
      return last ? [{ no, attempts: sorted, last }] : []
    })
}

export const isOpen = (state: string): boolean => ['queued', 'running', 'stopping'].includes(state)

/** The shard whose log is looked for first: one that failed, else one that runs, else the first one. */
export function shardToShow(shards: readonly Shard[]): Shard | undefined {
  return (
    shards.find((shard) => shard.last.state === 'failed') ??
    shards.find((shard) => shard.last.state === 'running') ??
    shards[0]
  )
}

/** When the task was due: its fire, else its first attempt. */
export function dueAt(task: TaskView): string {
  return task.fire_at ?? task.attempts[0]?.due_at ?? task.created_at
}

/** How late the first attempt started, or how late it is by now; null if it is not due yet. */
export function lateMs(task: TaskView, now: number): number | null {
  const first = task.attempts.find((attempt) => attempt.number === 1) ?? task.attempts[0]
  const due = Date.parse(
    task.cause === 'schedule' && task.fire_at ? task.fire_at : (first?.due_at ?? task.created_at),
  )
  const started = first?.started_at ? Date.parse(first.started_at) : null
  if (started !== null) return Math.max(0, started - due)
  if (!isOpen(task.state) || now <= due) return null
  return now - due
}

/** How long it ran; up to now if it runs. */
export function tookMs(task: Pick<TaskView, 'started_at' | 'ended_at'>, now: number): number | null {
  if (!task.started_at) return null
  // The clock of this browser may be behind.
  return Math.max(0, (task.ended_at ? Date.parse(task.ended_at) : now) - Date.parse(task.started_at))
}

/** The name with which REST finds the job. */
export const fullName = (thing: { service?: string; job?: string; name?: string }): string =>
  `${thing.service ?? ''}.${thing.job ?? thing.name ?? ''}`

/** The words for a reason have no spaces in their names: `executor lost` is `executor_lost`. */
export const reasonKey = (reason: string | null | undefined): string => (reason ?? '').replaceAll(' ', '_')
