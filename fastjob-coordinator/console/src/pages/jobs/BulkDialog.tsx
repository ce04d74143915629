/** Enables, disables, starts or deletes many jobs: the count first, then what was not possible and why. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { actions, useAction } from '../../api/queries'
import type { BulkAnswer, BulkJobsRequest } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Dialog, Message, ProblemNote, toast } from '../../ui'
import { leftOf } from '../tasks/BulkDialog'

export type JobsAction = 'enable' | 'disable' | 'start' | 'delete'

interface Props {
  action: JobsAction
  what: Pick<BulkJobsRequest, 'jobs' | 'filter'>
  onClose: () => void
  onDone: () => void
}

const NAMES = 8

export function BulkDialog({ action, what, onClose, onDone }: Props) {
  const { t, say } = useI18n()
  const words = t.jobs.bulk
  const [answer, setAnswer] = useState<BulkAnswer | null>(null)
  const request: BulkJobsRequest = {
    action,
    ...what,
    ...(action === 'start' && { cause: 'manual' as const }),
  }
  const dry = useQuery({
    queryKey: ['bulk', request],
    queryFn: () => actions.bulkJobs({ ...request, dry_run: true }),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  })
  const run = useAction(actions.bulkJobs, 'jobs', 'tasks')
  const n = dry.data?.matched ?? 0
  const names = (dry.data?.items ?? []).flatMap((item) => (item.job ? [item.job] : []))
  const failed = answer?.items.filter((item) => item.error) ?? []
  const submit = async () => {
    const done = await run.mutateAsync([{ ...request, expect: n }]).catch((): null => null)
    if (!done) return
    toast.done(say(words.done, { n: done.done }))
    onDone()
    if (leftOf(done) > 0) setAnswer(done)
    else onClose()
  }
  return (
    <Dialog
      title={dry.data ? say(words.title[action], { n }) : t.tasks.bulk.counting}
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
              look={action === 'delete' ? 'danger' : 'main'}
              busy={run.isPending}
              disabled={!dry.data || n === 0}
            >
              {words[action]}
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
              <li key={item.job}>
                <code>{item.job}</code> <Message text={item.error ?? ''} />
              </li>
            ))}
          </ul>
        </>
      ) : (
        <>
          <p className="grey">{words.detail[action]}</p>
          {names.length > 0 && (
            <ul className="plain mono">
              {names.slice(0, NAMES).map((name) => (
                <li key={name}>{name}</li>
              ))}
              {n > NAMES && <li className="grey">{say(words.more, { n: n - NAMES })}</li>}
            </ul>
          )}
          {dry.error && <ProblemNote error={dry.error} retry={() => void dry.refetch()} />}
          {run.error && <ProblemNote error={run.error} />}
        </>
      )}
    </Dialog>
  )
}
