/**
 * Changes of a job that were decided on what this page shows: each expects the version that it saw. If another
 * person has saved a version meanwhile, nothing is changed, and the dialog of the editor shows what differs.
 */
import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { ApiError, callTagged, seg } from '../../api/client'
import { actions, invalidate } from '../../api/queries'
import type { JobDraft, JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { browserZone } from '../../schedule/zone'
import { toast } from '../../ui'
import { Conflict } from './Conflict'
import { restOf, toForm } from './model/read'
import { toDraft } from './model/write'
import { type Loaded, pathOf } from './useSave'

/** A definition without defaults and without what the coordinator adds, as the dialog compares them. */
export const plainOf = (job: JobDraft): JobDraft => toDraft(toForm(job, browserZone()), restOf(job))

export async function readJob(path: string): Promise<Loaded> {
  const { data, etag } = await callTagged<JobView>('GET', `/jobs/${seg(path)}`)
  return { view: data, etag }
}

interface Open {
  base: JobDraft
  mine: JobDraft
  theirs: Loaded
  closed: (saved: boolean) => void
}

export interface Guard {
  /**
   * Does the work. True if the change was made, also by the dialog; false if it was left. `mine` is the
   * definition that the work would have saved, asked for only if there is a conflict.
   *
   * Rejects with every other error.
   */
  guard: (
    base: JobView,
    mine: () => JobDraft | Promise<JobDraft>,
    work: () => Promise<unknown>,
    /** The dialog opens: another one should close. */
    onConflict?: () => void,
  ) => Promise<boolean>
  dialog: ReactNode
}

export function useConflict(): Guard {
  const { t, say } = useI18n()
  const client = useQueryClient()
  const [open, setOpen] = useState<Open | null>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)

  const guard: Guard['guard'] = async (base, mine, work, onConflict) => {
    try {
      await work()
      return true
    } catch (failed) {
      if (!isStale(failed)) throw failed
      const [theirs, wanted] = await Promise.all([readJob(pathOf(base)), mine()])
      setError(null)
      onConflict?.()
      return new Promise((closed) => {
        setOpen({ base: plainOf(base), mine: plainOf(wanted), theirs, closed })
      })
    }
  }
  const close = (saved: boolean) => {
    open?.closed(saved)
    setOpen(null)
    invalidate(client, 'jobs')
  }
  const save = async (draft: JobDraft, { theirs, ...rest }: Open) => {
    const path = pathOf(theirs.view)
    setBusy(true)
    setError(null)
    try {
      await actions.saveJob(path, draft, theirs.etag ?? undefined)
      toast.done(say(t.editor.saved, { job: draft.name }))
      close(true)
    } catch (failed) {
      // Changed once more meanwhile: the dialog begins again with that version.
      const again = isStale(failed) && (await readJob(path).catch((): null => null))
      if (again) setOpen({ ...rest, theirs: again })
      else setError(failed)
    } finally {
      setBusy(false)
    }
  }
  const dialog = open && (
    <Conflict
      key={open.theirs.view.revision}
      base={open.base}
      mine={open.mine}
      theirs={open.theirs.view}
      theirDraft={plainOf(open.theirs.view)}
      busy={busy}
      error={error}
      onClose={() => close(false)}
      onTakeTheirs={() => close(false)}
      onSave={(draft) => void save(draft, open)}
    />
  )
  return { guard, dialog }
}

const isStale = (error: unknown): boolean => error instanceof ApiError && error.status === 412
