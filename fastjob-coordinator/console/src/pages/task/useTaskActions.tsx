/** Stop and run again: the question first, then a message with a link to what was started. */
import { Link } from '@tanstack/react-router'
import { type ReactNode, useMemo, useRef, useState } from 'react'
import { actions, useAction } from '../../api/queries'
import type { Started, TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { newKey } from '../../start/useStartKey'
import { Confirm, toast } from '../../ui'

export interface TaskActions {
  stop: (task: TaskView) => void
  /** Runs the task again; asks if it was run again before. */
  again: (task: TaskView, shards?: string) => void
  busy: boolean
  /** The question that is open, to be drawn by the page. */
  dialog: ReactNode
}

export function useTaskActions(): TaskActions {
  const { t, say } = useI18n()
  const [asked, setAsked] = useState<{ kind: 'stop' | 'again'; task: TaskView; key: string } | null>(null)
  const stop = useAction(actions.stop, 'tasks', 'task')
  const rerun = useAction(actions.rerun, 'tasks', 'task')

  const started = (answer: Started) =>
    toast.done(
      say(answer.created ? t.task.rerun.started : t.task.rerun.existing, { id: String(answer.task) }),
      <Link className="link" to="/tasks/$task" params={{ task: String(answer.task) }}>
        {t.task.rerun.open}
      </Link>,
    )
  const again = (task: TaskView, shards?: string) => {
    if (task.rerun_by !== undefined && !shards) {
      setAsked({ kind: 'again', task, key: newKey() })
      return
    }
    rerun.mutateAsync([task.id, shards ? { shards } : {}]).then(started, toast.failed)
  }
  const close = () => setAsked(null)
  const names: Record<string, string> = asked ? { job: asked.task.job, id: String(asked.task.id) } : {}
  const dialog =
    asked === null ? null : asked.kind === 'stop' ? (
      <Confirm
        title={say(t.task.stop.title, names)}
        verb={t.task.stop.confirm}
        danger
        onClose={close}
        onConfirm={async () => {
          const answer = await stop.mutateAsync([asked.task.id])
          toast.done(answer.stopped ? t.task.stop.asked : t.task.stop.ended)
        }}
      >
        <p>{t.task.stop.detail}</p>
      </Confirm>
    ) : (
      <Confirm
        title={say(t.task.rerun.title, names)}
        verb={t.task.rerun.confirm}
        onClose={close}
        onConfirm={async () => started(await rerun.mutateAsync([asked.task.id, { key: asked.key }]))}
      >
        <p>{say(t.task.rerun.detail, { rerun: String(asked.task.rerun_by ?? '') })}</p>
      </Confirm>
    )
  // The same functions for the life of the page, so that the columns of a table can be kept.
  const latest = useRef(again)
  latest.current = again
  const calls = useMemo(
    () => ({
      stop: (task: TaskView) => setAsked({ kind: 'stop', task, key: '' }),
      again: (task: TaskView, shards?: string) => latest.current(task, shards),
    }),
    [],
  )
  return { ...calls, busy: rerun.isPending, dialog }
}
