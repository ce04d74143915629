/** What can be done with one job, from the list and from its page. */
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useMemo, useRef, useState } from 'react'
import { actions, rememberJob, tagOf, useAction } from '../../api/queries'
import type { JobDraft, JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Confirm, copyText, type MenuEntry, toast } from '../../ui'
import { toToml } from '../editor/model/toml'
import { useConflict } from '../editor/useConflict'
import { BackfillDialog } from '../job/BackfillDialog'
import { fullName } from '../task/shards'

const StartDialog = lazy(() =>
  import('../../start/StartDialog').then((found) => ({ default: found.StartDialog })),
)

type Asked = { kind: 'start' | 'delete' | 'release' | 'backfill'; job: JobView }

export interface JobActions {
  start: (job: JobView) => void
  setEnabled: (job: JobView, enabled: boolean) => void
  /** The entries of its menu. */
  menu: (job: JobView) => MenuEntry[]
  busy: boolean
  dialog: ReactNode
}

/** The definition alone, without what the coordinator adds to it. */
export function draftOf(job: JobView): JobDraft {
  const {
    id: _id,
    revision: _revision,
    origin: _origin,
    created_at: _created,
    updated_at: _updated,
    next_fire_at: _next,
    activity: _activity,
    overrides: _overrides,
    declared: _declared,
    ...draft
  } = job
  return draft
}

export function useJobActions(onDeleted?: () => void): JobActions {
  const { t, f, say } = useI18n()
  const navigate = useNavigate()
  const [asked, setAsked] = useState<Asked | null>(null)
  const toggle = useAction(actions.setEnabled, 'jobs')
  const remove = useAction(actions.deleteJob, 'jobs')
  const release = useAction(actions.release, 'jobs')
  const silence = useAction(actions.silence, 'alarms')
  const close = () => setAsked(null)

  const client = useQueryClient()
  const conflict = useConflict()
  // A second click on a switch waits for the first one: it would expect the version before it.
  const busy = useRef(new Set<number>())
  const setEnabled = async (job: JobView, enabled: boolean) => {
    if (busy.current.has(job.id)) return
    busy.current.add(job.id)
    try {
      const done = await conflict.guard(
        job,
        () => ({ ...draftOf(job), enabled }),
        async () => rememberJob(client, await toggle.mutateAsync([fullName(job), enabled, tagOf(job)])),
      )
      if (done) toast.done(say(enabled ? t.jobs.enabled : t.jobs.disabled, { job: job.name }))
    } catch (failed) {
      toast.failed(failed)
    } finally {
      busy.current.delete(job.id)
    }
  }
  const menu = (job: JobView): MenuEntry[] => {
    const name = fullName(job)
    const last = job.activity?.ends[0]
    return [
      ...(last ? [{ label: t.jobs.act.log, icon: 'log' as const, to: `/tasks/${last.task}` }] : []),
      { label: t.jobs.act.tasks, icon: 'tasks', to: `/tasks?job=${encodeURIComponent(name)}` },
      null,
      { label: t.jobs.act.edit, icon: 'edit', to: `/jobs/${name}/edit` },
      { label: t.jobs.act.copy, icon: 'copy', to: `/jobs/new?copy=${encodeURIComponent(name)}` },
      {
        label: t.jobs.act.exportToml,
        icon: 'code',
        onSelect: () => void copyText(toToml(draftOf(job))).then((done) => done && toast.done(t.jobs.copied)),
      },
      null,
      {
        label: t.jobs.act.backfill,
        icon: 'redo',
        onSelect: () => setAsked({ kind: 'backfill', job }),
        disabled: !firesByItself(job),
      },
      {
        label: t.jobs.act.silence,
        icon: 'bell',
        onSelect: () =>
          silence
            .mutateAsync([{ job: name, for: '2h' }])
            .then(
              (made) => toast.done(say(t.task.silenced, { job: job.name, at: f.near(made.until) })),
              toast.failed,
            ),
      },
      ...(job.declared || (job.overrides?.length ?? 0) > 0
        ? [
            {
              label: t.jobs.act.release,
              icon: 'code' as const,
              onSelect: () => setAsked({ kind: 'release', job }),
            },
          ]
        : []),
      null,
      {
        label: t.jobs.act.delete,
        icon: 'trash',
        danger: true,
        onSelect: () => setAsked({ kind: 'delete', job }),
      },
    ]
  }
  // The same functions until the language changes, so that the columns of a table can be kept.
  const latest = useRef({ setEnabled, menu })
  latest.current = { setEnabled, menu }
  const calls = useMemo(
    () => ({
      start: (job: JobView) => setAsked({ kind: 'start', job }),
      setEnabled: (job: JobView, enabled: boolean) => void latest.current.setEnabled(job, enabled),
      menu: (job: JobView) => latest.current.menu(job),
    }),
    [],
  )
  return {
    ...calls,
    busy: toggle.isPending,
    dialog: (
      <>
        {asked && dialogOf(asked)}
        {conflict.dialog}
      </>
    ),
  }

  function dialogOf({ kind, job }: Asked): ReactNode {
    const names = { job: fullName(job) }
    switch (kind) {
      case 'start':
        return (
          <Suspense>
            <StartDialog job={job} onClose={close} />
          </Suspense>
        )
      case 'backfill':
        return <BackfillDialog job={job} onClose={close} />
      case 'release':
        return (
          <Confirm
            title={say(t.job.release.title, names)}
            verb={t.job.release.confirm}
            onClose={close}
            onConfirm={async () => {
              await release.mutateAsync([fullName(job)])
              toast.done(say(t.job.release.done, { job: job.name }))
            }}
          >
            <p>{t.job.release.detail}</p>
          </Confirm>
        )
      case 'delete':
        return (
          <Confirm
            title={say(t.jobs.delete.title, names)}
            verb={t.jobs.delete.confirm}
            danger
            onClose={close}
            onConfirm={async () => {
              await remove.mutateAsync([fullName(job), job.id])
              toast.done(say(t.jobs.delete.done, { job: job.name }))
              if (onDeleted) onDeleted()
              else void navigate({ to: '.', search: (now: Record<string, unknown>) => now })
            }}
          >
            <p>{t.jobs.delete.detail}</p>
            {(job.origin === 'code' || job.declared) && <p>{t.jobs.delete.code}</p>}
          </Confirm>
        )
    }
  }
}

export function firesByItself(job: Pick<JobView, 'schedule'>): boolean {
  return typeof job.schedule === 'object' && job.schedule !== null
}
