/** Stops or reruns many tasks: says first how many there are, then what was not possible and why. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { actions, useAction } from '../../api/queries'
import type { BulkAnswer, BulkTasksRequest } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Dialog, Message, ProblemNote, toast } from '../../ui'

interface Props {
  action: 'stop' | 'rerun'
  what: Pick<BulkTasksRequest, 'tasks' | 'filter'>
  onClose: () => void
  onDone: () => void
}

/** How many were not changed: those that failed, and those that were not tried in time. */
export function leftOf({ failed, not_done, items }: BulkAnswer): number {
  return (failed ?? items.filter((item) => item.error).length) + (not_done ?? 0)
}

export function BulkDialog({ action, what, onClose, onDone }: Props) {
  const { t, say } = useI18n()
  const words = t.tasks.bulk
  const [answer, setAnswer] = useState<BulkAnswer | null>(null)
  const [reason, setReason] = useState('')
  const request: BulkTasksRequest = {
    action,
    ...what,
    ...(action === 'rerun' && { cause: 'manual' as const }),
  }
  const dry = useQuery({
    queryKey: ['bulk', request],
    queryFn: () => actions.bulkTasks({ ...request, dry_run: true }),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  })
  const run = useAction(actions.bulkTasks, 'tasks', 'task')
  const n = dry.data?.matched ?? 0
  const failed = answer?.items.filter((item) => item.error) ?? []
  const submit = async () => {
    const done = await run
      .mutateAsync([{ ...request, expect: n, ...(reason && { reason }) }])
      .catch((): null => null)
    if (!done) return
    toast.done(say(words.done, { n: done.done }))
    onDone()
    if (leftOf(done) === 0) onClose()
    else setAnswer(done)
  }
  const title = dry.data ? say(action === 'stop' ? words.stopTitle : words.againTitle, { n }) : words.counting
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={() => void (answer ? onClose() : dry.data && submit())}
      foot={
        answer ? (
          <Button look="main" onClick={onClose}>
            {t.act.close}
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>{t.act.cancel}</Button>
            <Button
              type="submit"
              look={action === 'stop' ? 'danger' : 'main'}
              busy={run.isPending}
              disabled={!dry.data || n === 0}
            >
              {action === 'stop' ? words.stop : words.again}
            </Button>
          </>
        )
      }
    >
      {answer ? (
        <>
          <p>{say(words.failed, { n: leftOf(answer) })}</p>
          <ul className="fields">
            {failed.slice(0, 20).map((item) => (
              <li key={item.task}>
                <code>{item.task}</code> <Message text={item.error ?? ''} />
              </li>
            ))}
          </ul>
        </>
      ) : (
        <>
          <p className="grey">{action === 'stop' ? words.stopDetail : words.againDetail}</p>
          {action === 'stop' && (
            <div className="f">
              <label htmlFor="bulk-reason">{words.reason}</label>
              <div>
                <input
                  id="bulk-reason"
                  className="in"
                  value={reason}
                  maxLength={200}
                  onChange={(event) => setReason(event.target.value)}
                />
                <p className="hint">{words.reasonHint}</p>
              </div>
            </div>
          )}
          {dry.error && <ProblemNote error={dry.error} retry={() => void dry.refetch()} />}
          {run.error && <ProblemNote error={run.error} />}
        </>
      )}
    </Dialog>
  )
}
