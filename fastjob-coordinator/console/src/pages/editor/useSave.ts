import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError, callTagged, seg } from '../../api/client'
import { actions, invalidate } from '../../api/queries'
import type { JobDraft, JobView } from '../../api/types'
import { fieldsOf, judgeNow, type Told } from './useChecks'
import type { Guard } from './useConflict'

/** The definition that the form was made of, as it was on the coordinator. */
export interface Loaded {
  view: JobView
  etag: string | null
}

export type Outcome =
  | { kind: 'saved'; view: JobView; created: boolean }
  | { kind: 'invalid'; problems: Told[] }
  | { kind: 'exists' }
  | { kind: 'conflict'; theirs: Loaded }
  | { kind: 'deleted' }
  | { kind: 'failed' }

export const pathOf = (draft: { name: string; service?: string }): string =>
  `${draft.service ?? 'default'}.${draft.name}`

/** Saves a new job, or a job as it was loaded: then only if nobody else has changed it since. */
export function useSave() {
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)

  const run = async (work: () => Promise<Outcome>): Promise<Outcome> => {
    setBusy(true)
    setError(null)
    try {
      return await work()
    } catch (failed) {
      if (failed instanceof ApiError && failed.status === 422)
        return { kind: 'invalid', problems: fieldsOf(failed) }
      setError(failed)
      return { kind: 'failed' }
    } finally {
      setBusy(false)
      invalidate(client, 'jobs')
    }
  }

  const create = (draft: JobDraft) =>
    run(async () => {
      // A save of a new job must not replace another one.
      const judged = await judgeNow(draft)
      if (judged.problems && judged.problems.length > 0) return { kind: 'invalid', problems: judged.problems }
      if (judged.applied && judged.applied.saved !== 'created') return { kind: 'exists' }
      const { data } = await actions.createJob(draft)
      return { kind: 'saved', view: data, created: true }
    })

  const save = (draft: JobDraft, loaded: Loaded) =>
    run(async () => {
      const path = pathOf(loaded.view)
      try {
        if (loaded.etag === null) {
          // A coordinator without conditional saves: the closest to one is to look before.
          const now = await read(path)
          if (now.view.revision !== loaded.view.revision) return { kind: 'conflict', theirs: now }
        }
        const { data } = await actions.saveJob(path, draft, loaded.etag ?? undefined)
        return { kind: 'saved', view: data, created: false }
      } catch (failed) {
        if (!(failed instanceof ApiError)) throw failed
        if (failed.status === 404 && failed.kind === 'not-found') return { kind: 'deleted' }
        if (failed.status !== 412) throw failed
        try {
          return { kind: 'conflict', theirs: await read(path) }
        } catch (gone) {
          if (gone instanceof ApiError && gone.status === 404) return { kind: 'deleted' }
          throw gone
        }
      }
    })

  return { create, save, busy, error, clear: () => setError(null) }
}

/** Makes a job a child of others. All are checked before the first one is changed, and each is changed only in the
 * version that was read: what another person has saved meanwhile is asked about. */
export async function adopt(parents: string[], child: string, guard: Guard['guard']): Promise<void> {
  const found = await Promise.all(parents.map((parent) => read(parent)))
  const withChild = ({ view }: Loaded) => [...(view.children ?? []), { job: child }]
  const jobs = found.map((parent) => ({
    service: parent.view.service ?? 'default',
    name: parent.view.name,
    children: withChild(parent),
  }))
  await actions.applyJobs({ jobs, dry_run: true })
  for (const parent of found) {
    const children = withChild(parent)
    await guard(
      parent.view,
      () => ({ ...parent.view, children }),
      () => actions.patchJob(pathOf(parent.view), { children }, parent.etag ?? undefined),
    )
  }
}

async function read(path: string): Promise<Loaded> {
  const { data, etag } = await callTagged<JobView>('GET', `/jobs/${seg(path)}`)
  return { view: data, etag }
}
