import { useId, useState } from 'react'
import { ApiError } from '../api/client'
import { actions, useAction, useExecutors, useJob } from '../api/queries'
import type { JobView, Json, TaskView } from '../api/types'
import { useI18n } from '../i18n'
import { jsonError, looksLikeJson, pretty } from '../pages/editor/model/json'
import { paramText } from '../pages/editor/model/read'
import { Button, Dialog, Kbd, ProblemNote, paths, Skeleton, toast, useGo, useMessage } from '../ui'
import { lastParam, rememberParam } from './memory'
import { ParamField } from './param/ParamField'
import {
  dueAt,
  emptyStart,
  rerunRequest,
  type StartForm,
  sent,
  startRequest,
  whenProblem,
  withKey,
} from './request'
import { StartOptions } from './StartOptions'
import { useSchema } from './useSchema'
import { useStartKey } from './useStartKey'
import './start.css'

export interface StartDialogProps {
  /** The job, or its name `service.name`. */
  job: JobView | string
  onClose: () => void
  /** What is in the field at first, instead of the last one. */
  param?: Json
  /** The task to run again with changes, instead of a new start. */
  rerun?: Pick<TaskView, 'id' | 'param' | 'attempts' | 'rerun_by'>
}

/** Starts a job with a param, now or later, or runs a task again with changes; then opens the task. */
export function StartDialog({ job, ...props }: StartDialogProps) {
  return typeof job === 'string' ? <ByName {...props} job={job} /> : <Ready {...props} view={job} />
}

function ByName({ job: name, ...props }: StartDialogProps & { job: string }) {
  const { t, say } = useI18n()
  const job = useJob(name)
  if (job.data) return <Ready {...props} view={job.data.data} />
  return (
    <Dialog
      title={say(t.editor.start.title, { job: name })}
      onClose={props.onClose}
      foot={<Button onClick={props.onClose}>{t.act.cancel}</Button>}
    >
      {job.error ? (
        <ProblemNote error={job.error} retry={() => void job.refetch()} />
      ) : (
        <Skeleton width="70%" />
      )}
    </Dialog>
  )
}

function Ready({ view, onClose, param, rerun }: Omit<StartDialogProps, 'job'> & { view: JobView }) {
  const { t, f, say, language } = useI18n()
  const words = t.editor.start
  const job = `${view.service ?? 'default'}.${view.name}`
  const title = rerun
    ? say(words.titleRerun, { job: view.name, id: String(rerun.id) })
    : say(words.title, { job: view.name })
  const shards = new Set(rerun?.attempts.map(({ shard }) => shard)).size
  const go = useGo()
  const id = useId()
  const jobZone = typeof view.schedule === 'object' ? view.schedule.zone : undefined
  const [form, setForm] = useState<StartForm>(() => emptyStart(f.zone(jobZone)))
  const [attempted, setAttempted] = useState(false)
  const [warned, setWarned] = useState(false)
  const schema = useSchema(view.service ?? 'default', view.handler ?? view.name)
  const executors = useExecutors({ service: view.service })
  const start = useAction(actions.start, 'tasks')
  const again = useAction(actions.rerun, 'tasks', 'task')
  const action = rerun ? again : start
  const once = useStartKey()

  // What runs if nothing is changed, and what the field has at first.
  const own = shownParam(rerun ? (rerun.param ?? view.param) : view.param)
  const last = rerun ? null : lastParam(job)
  const first = param === undefined ? (last ?? own) : shownParam(param)
  const typed = form.param ?? first
  const set = (patch: Partial<StartForm>) => setForm({ ...form, ...patch })
  const problem = whenProblem(form)
  const problems = action.error instanceof ApiError ? action.error.fields : []
  const said = useMessage()
  const ofParam = (field: string) => {
    const message = problems.find((one) => one.field === field)?.message
    return message && said(message).text
  }
  const others = action.error && !problems.some((one) => one.field.startsWith('param'))

  const later = form.when !== 'now' && !rerun

  const submit = async () => {
    setAttempted(true)
    if (problem || action.isPending) {
      if (problem) document.getElementById(`${id}-${form.when}`)?.focus()
      return
    }
    // A text that looks like JSON and is not may be meant so: it is asked once.
    if (!warned && looksLikeJson(typed) && jsonError(typed)) {
      setWarned(true)
      document.getElementById(`${id}-param`)?.focus()
      return
    }
    try {
      const request = rerun ? rerunRequest(form, typed, own) : startRequest(form, typed, own)
      // A rerun without `again` starts nothing twice anyway; a key would allow a second one.
      const ownKey = !request.key && (!rerun || form.again) ? once.keyFor(request) : undefined
      const body = ownKey === undefined ? request : withKey(request, ownKey)
      const started = rerun ? await again.mutateAsync([rerun.id, body]) : await start.mutateAsync([job, body])
      once.answered()
      if (!rerun) rememberParam(job, sent(typed), sent(own))
      onClose()
      const due = later ? dueAt(form) : null
      // With a key of the dialog, a task that exists is the one of the first try.
      const text =
        !started.created && ownKey === undefined
          ? words.existing
          : due === null
            ? words.started
            : words.planned
      toast.done(say(text, { id: String(started.task), at: due === null ? '' : f.near(due, jobZone) }))
      go(paths.task(started.task))
    } catch {
      // The mutation has the error, and it is shown.
      document.getElementById(`${id}-param`)?.focus()
    }
  }

  const up = executors.data?.items.filter(
    (one) => one.service === view.service && one.connected && !one.leaving,
  )
  const note = rerun
    ? words.rerunNote
    : view.enabled === false
      ? words.disabled
      : view.schedule && view.schedule !== 'none'
        ? words.inAddition
        : ''
  const from =
    typed === own ? (rerun ? words.paramTask : words.paramOwn) : typed === last ? words.paramLast : undefined
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={() => void submit()}
      foot={
        <>
          <Button onClick={onClose}>{t.act.cancel}</Button>
          <Button
            type="submit"
            look="main"
            busy={action.isPending}
            {...(own === '' && !schema && { 'data-autofocus': true })}
          >
            {rerun ? words.rerun : later ? words.startAt : words.start}
            <Kbd>↵</Kbd>
          </Button>
        </>
      }
    >
      <div className="start" lang={language === 'zh' ? 'zh-CN' : 'en'}>
        <p className="grey">
          {up &&
            (up.length === 0
              ? say(words.noExecutors, { service: view.service ?? 'default' })
              : say(words.service, { service: view.service ?? 'default', n: up.length }))}
          {note && (language === 'zh' ? note : ` ${note}`)}
        </p>
        <div className="f">
          <label htmlFor={`${id}-param`}>{words.param}</label>
          <ParamField
            id={`${id}-param`}
            value={typed}
            onChange={(next) => {
              setWarned(false)
              set({ param: next })
            }}
            schema={schema}
            problem={ofParam}
            {...(from && { hint: from })}
          />
          {typed !== own && (
            <Button look="link" small className="bare own" onClick={() => set({ param: own })}>
              {words.useOwn}
            </Button>
          )}
        </div>
        <StartOptions
          id={id}
          form={form}
          set={set}
          view={view}
          rerun={rerun && { shards, rerunBefore: rerun.rerun_by !== undefined }}
          problem={attempted ? problem : null}
        />
        {others && <ProblemNote error={action.error} />}
        {isUnanswered(action.error) && <p className="hint">{words.unanswered}</p>}
      </div>
    </Dialog>
  )
}

/** Whether a task may have been started although no answer has arrived. */
function isUnanswered(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500)
}

/** A stored param as it is edited. */
function shownParam(param: Json | null | undefined): string {
  const text = paramText(param ?? undefined)
  return looksLikeJson(text) ? pretty(text) : text
}
