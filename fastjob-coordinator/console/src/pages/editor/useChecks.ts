import { useEffect, useMemo, useRef, useState } from 'react'
import { ApiError, call, isUnknownCall } from '../../api/client'
import type { Applied, AppliedJob, JobDraft } from '../../api/types'
import { type I18n, useI18n } from '../../i18n'
import type { CronProblem, FieldName } from '../../schedule/cron/types'
import { check, type Problem } from './model/check'
import type { Form } from './model/form'

export interface Told {
  field: string
  message: string
}

export interface Checks {
  problems: Told[]
  /** What saving would do, as the coordinator says; null while it is not known. */
  applied: AppliedJob | null
  state: 'checking' | 'checked' | 'unreachable' | 'skipped'
}

const WAIT = 400

/** What is wrong with the form: at once in the user's language, then as the coordinator judges it. */
export function useChecks(form: Form, draft: JobDraft, isNew: boolean): Checks {
  const i18n = useI18n()
  const local = useMemo(() => check(form), [form])
  const text = useMemo(() => JSON.stringify(checkable(draft, local)), [draft, local])
  const [answer, setAnswer] = useState<{ text: string; problems: Told[] | null; applied: AppliedJob | null }>(
    {
      text: '',
      problems: null,
      applied: null,
    },
  )
  const unknown = useRef(false)
  useEffect(() => {
    if (unknown.current) return
    const abort = new AbortController()
    const wait = setTimeout(() => {
      void judge(text, abort.signal).then((judged) => {
        if (abort.signal.aborted) return
        unknown.current = judged.unknown
        setAnswer({ text, problems: judged.problems, applied: judged.applied })
      })
    }, WAIT)
    return () => {
      clearTimeout(wait)
      abort.abort()
    }
  }, [text])

  return useMemo(() => {
    const own = local
      .filter(({ word }) => word !== 'json')
      .map((one) => ({ field: one.field, message: words(one, i18n) }))
    if (answer.text !== text) return { problems: own, applied: null, state: 'checking' }
    if (!answer.problems)
      return { problems: own, applied: null, state: unknown.current ? 'skipped' : 'unreachable' }
    // The coordinator decides what is a problem; a message in the user's language is shown instead of its own.
    const blocked = own.filter(({ field }) => field === 'name' || field === 'service')
    const judged = answer.problems.map((one) => own.find(({ field }) => field === one.field) ?? one)
    const all = [...blocked, ...judged.filter(({ field }) => !blocked.some((one) => one.field === field))]
    if (isNew && answer.applied && answer.applied.saved !== 'created' && blocked.length === 0) {
      const service = form.service.trim() || 'default'
      all.push({ field: 'name', message: i18n.say(i18n.t.editor.exists, { service }) })
    }
    return { problems: all, applied: answer.applied, state: 'checked' }
  }, [local, answer, text, i18n, isNew, form.service])
}

/** The coordinator stops at a name that is not valid; with another one it checks all other fields. */
function checkable(draft: JobDraft, local: Problem[]): JobDraft {
  const wrong = (field: string) => local.some((one) => one.field === field)
  return {
    ...draft,
    ...(wrong('name') && { name: 'name-to-be-chosen' }),
    ...(wrong('service') && { service: 'default' }),
  }
}

interface Judged {
  problems: Told[] | null
  applied: AppliedJob | null
  unknown: boolean
}

async function judge(text: string, signal?: AbortSignal): Promise<Judged> {
  const job = JSON.parse(text) as JobDraft
  try {
    const body = { jobs: [job], replace: true, dry_run: true }
    const { items } = await call<Applied>('PATCH', '/jobs', { body, ...(signal && { signal }) })
    return { problems: [], applied: items[0] ?? null, unknown: false }
  } catch (error) {
    const fields = error instanceof ApiError && error.status === 422 ? fieldsOf(error) : null
    return { problems: fields, applied: null, unknown: isUnknownCall(error) }
  }
}

/** What a save would do, asked right before it. */
export const judgeNow = (draft: JobDraft): Promise<Judged> => judge(JSON.stringify(draft))

/** The problems of one job, without its place in the request. */
export function fieldsOf(error: ApiError): Told[] {
  const fields = error.fields.map(({ field, message }) => ({
    field: field.replace(/^jobs\[0\]\.?/, ''),
    message,
  }))
  return fields.length > 0 ? fields : [{ field: '', message: error.detail || error.title }]
}

/** A problem in the user's language. */
function words({ word, values }: Problem, { t, say }: I18n): string {
  if (typeof word === 'string') return say(t.editor.problem[word], textValues(values ?? {}))
  const { schedule } = t.editor
  const unit = (name: FieldName) => schedule.fields[name]
  const problem: CronProblem = word.cron
  const filled: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(problem)) {
    filled[name] = Array.isArray(value) ? value.map(unit).join(', ') : String(value)
  }
  if ('unit' in problem) filled.unit = unit(problem.unit)
  const text = say(schedule.problem[problem.kind], filled)
  const whole = problem.kind === 'empty' || problem.kind === 'count' || problem.kind === 'tooLong'
  if (whole) return text
  const at = say(schedule.at, { at: String(word.from + 1) })
  return text.endsWith('。') ? `${text.slice(0, -1)}（${at}）。` : `${text.replace(/[.]$/, '')}, ${at}.`
}

/** Numbers as they are typed, without groups of digits. */
function textValues(values: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
