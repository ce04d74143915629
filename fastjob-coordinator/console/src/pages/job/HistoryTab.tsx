/** The versions of a job: who changed what, field by field, and back to an earlier one. */
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { actions, itemsOf, rememberJob, tagOf, useAction, useJobVersions } from '../../api/queries'
import type { JobView, VersionView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Confirm, ErrorCard, JsonView, Skeleton, Time, toast } from '../../ui'
import { useConflict } from '../editor/useConflict'
import { fullName } from '../task/shards'
import { Changes } from './Changes'

export function HistoryTab({ job }: { job: JobView }) {
  const { t, say } = useI18n()
  const words = t.job.history
  const name = fullName(job)
  const versions = useJobVersions(name)
  const restore = useAction(actions.restoreJob, 'jobs')
  const client = useQueryClient()
  const conflict = useConflict()
  const [asked, setAsked] = useState<number | null>(null)
  const items = itemsOf(versions.data)
  if (versions.error) {
    return (
      <section className="sec tight">
        <ErrorCard error={versions.error} retry={() => void versions.refetch()} />
      </section>
    )
  }
  return (
    <section className="sec tight">
      {versions.isPending && <Skeleton width="60%" />}
      {versions.data && items.length === 0 && <p className="grey">{words.none}</p>}
      <ol className="versions">
        {items.map((version) => (
          <Version
            key={version.revision}
            job={name}
            version={version}
            current={version.revision === job.revision && !version.deleted}
            onRestore={() => setAsked(version.revision)}
          />
        ))}
      </ol>
      {versions.hasNextPage && (
        <Button small busy={versions.isFetchingNextPage} onClick={() => void versions.fetchNextPage()}>
          {t.act.loadMore}
        </Button>
      )}
      {asked !== null && (
        <Confirm
          title={say(words.restoreTitle, { revision: String(asked), job: job.name })}
          verb={words.restore}
          onClose={() => setAsked(null)}
          onConfirm={async () => {
            const done = await conflict.guard(
              job,
              async () => (await actions.jobVersion(name, asked)).job,
              async () => rememberJob(client, await restore.mutateAsync([name, asked, tagOf(job)])),
              () => setAsked(null),
            )
            if (done) toast.done(say(words.restored, { job: job.name, revision: String(asked) }))
          }}
        >
          <p>{words.restoreDetail}</p>
        </Confirm>
      )}
      {conflict.dialog}
    </section>
  )
}

interface VersionProps {
  job: string
  version: VersionView
  current: boolean
  onRestore: () => void
}

function Version({ job, version, current, onRestore }: VersionProps) {
  const { t, say } = useI18n()
  const words = t.job.history
  const [definition, setDefinition] = useState<object | null>(null)
  const by = version.origin === 'code' ? words.byCode : words.byApi
  // Later versions without changes differ in who owns them, or are the oldest that is kept.
  const what =
    version.changes.length > 0
      ? say(words.changes, { n: version.changes.length })
      : !version.unreadable && version.revision === 1 && words.first
  return (
    <li>
      <div className="version-head">
        <b>{say(words.revision, { revision: String(version.revision) })}</b>
        {current && <span className="tag">{words.now}</span>}
        {version.deleted && <span className="tag">{words.deleted}</span>}
        <span className="grey">
          <Time at={version.saved_at} /> · {by}
          {what && ` · ${what}`}
        </span>
        {!version.unreadable && (
          <span className="end">
            <Button
              look="bare"
              small
              onClick={() => {
                if (definition) setDefinition(null)
                else
                  actions
                    .jobVersion(job, version.revision)
                    .then((found) => setDefinition(found.job), toast.failed)
              }}
              aria-expanded={definition !== null}
            >
              {words.show}
            </Button>
            {!current && (
              <Button small onClick={onRestore}>
                {words.restore}
              </Button>
            )}
          </span>
        )}
      </div>
      {version.unreadable && <p className="grey">{words.unreadable}</p>}
      {version.changes.length > 0 && <Changes changes={version.changes} />}
      {definition && <JsonView value={definition} />}
    </li>
  )
}
