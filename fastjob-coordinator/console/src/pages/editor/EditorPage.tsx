import { useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { useJob } from '../../api/queries'
import type { JobDraft } from '../../api/types'
import { useI18n } from '../../i18n'
import { browserZone } from '../../schedule/zone'
import { ErrorCard, PageSkeleton, useService } from '../../ui'
import { Editor } from './Editor'
import { emptyForm, type Form, type Rest } from './model/form'
import { looksLikeJson, pretty } from './model/json'
import { restOf, toForm } from './model/read'
import type { Loaded } from './useSave'
import './editor.css'

/** A new job, a copy of one, or a job to edit. */
export default function EditorPage() {
  const { job } = useParams({ strict: false }) as { job?: string }
  const { copy, handler } = useSearch({ strict: false }) as { copy?: string; handler?: string }
  const source = job ?? copy
  if (source) return <FromJob key={`${job ?? ''} ${copy ?? ''}`} name={source} copies={job === undefined} />
  return <NewJob key={handler ?? ''} handler={handler} />
}

function NewJob({ handler }: { handler: string | undefined }) {
  const service = useService()
  const [form] = useState<Form>(() => {
    const [, of, name] = /^([^.]*)\.(.*)$/s.exec(handler ?? '') ?? []
    return {
      ...emptyForm(browserZone()),
      ...(service && { service }),
      ...(of && name && { service: of, handler: name, name }),
    }
  })
  return <Editor initial={form} rest={{}} loaded={null} />
}

function FromJob({ name, copies }: { name: string; copies: boolean }) {
  const { t, say } = useI18n()
  const job = useJob(name)
  // What was read first is edited: later answers must not change the form under the hands.
  const [loaded, setLoaded] = useState<Loaded | null>(null)
  if (!loaded && job.data && !job.isStale) setLoaded({ view: job.data.data, etag: job.data.etag })
  if (!loaded) {
    if (job.error) return <ErrorCard error={job.error} retry={() => void job.refetch()} />
    return <PageSkeleton title={say(copies ? t.editor.copyOf : t.editor.edit, { job: name })} />
  }
  const { form, rest } = read(loaded.view)
  const initial = copies ? { ...form, name: `${form.name}-copy`, handler: form.handler || form.name } : form
  return (
    <Editor
      key={loaded.view.revision}
      initial={initial}
      rest={rest}
      loaded={copies ? null : loaded}
      copyOf={copies ? name : undefined}
      onReload={setLoaded}
    />
  )
}

/** A definition in the form, its param set out. */
export function read(draft: JobDraft): { form: Form; rest: Rest } {
  const form = toForm(draft, browserZone())
  const param = looksLikeJson(form.param) ? pretty(form.param) : form.param
  const handler = form.handler === form.name ? '' : form.handler
  return { form: { ...form, param, handler }, rest: restOf(draft) }
}
