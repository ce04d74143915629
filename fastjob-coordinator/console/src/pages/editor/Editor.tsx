import { useCallback, useMemo, useState } from 'react'
import type { JobDraft } from '../../api/types'
import { useI18n } from '../../i18n'
import { useKeys } from '../../lib/keys'
import { Go, ProblemNote, paths, toast, useGo } from '../../ui'
import { Conflict } from './Conflict'
import { type Editor as Context, controlOf, EditorContext } from './context'
import { EditBar } from './EditBar'
import type { Form, Rest } from './model/form'
import { isSame } from './model/merge'
import { restOf, toForm } from './model/read'
import { toDraft } from './model/write'
import { Origin } from './Origin'
import { ProblemList } from './ProblemList'
import { Advanced } from './parts/Advanced'
import { Basics } from './parts/Basics'
import { TaskSection } from './parts/TaskSection'
import { Side } from './Side'
import { ScheduleSection } from './schedule/ScheduleSection'
import { type Told, useChecks } from './useChecks'
import { useConflict } from './useConflict'
import { LeaveDialog, useLeave } from './useLeave'
import { adopt, type Loaded, type Outcome, pathOf, useSave } from './useSave'

interface Props {
  initial: Form
  rest: Rest
  /** The job that is edited; null for a new one. */
  loaded: Loaded | null
  copyOf?: string | undefined
  /** The form starts again with another revision. */
  onReload?: (loaded: Loaded) => void
}

/** The form, what is wrong with it, and the preview beside it. */
export function Editor({ initial, rest, loaded, copyOf, onReload }: Props) {
  const { t, say } = useI18n()
  const go = useGo()
  const isNew = loaded === null
  const [form, setForm] = useState(initial)
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set())
  const [attempted, setAttempted] = useState(false)
  const [refused, setRefused] = useState<{ draft: JobDraft; problems: Told[] } | null>(null)
  const [theirs, setTheirs] = useState<Loaded | null>(null)
  const [gone, setGone] = useState(false)
  const saving = useSave()
  const conflict = useConflict()
  const draft = useMemo(() => toDraft(form, rest), [form, rest])
  const before = useMemo(() => toDraft(initial, rest), [initial, rest])
  const parents = form.kind === 'parent' ? form.parents : []
  const changed =
    parents.length > 0 || (isNew && copyOf !== undefined) || !isSame(draft as never, before as never)
  const checks = useChecks(form, draft, isNew)
  const leave = useLeave(changed && !saving.busy)

  // What a save was refused for stays until the form is changed.
  const all = refused?.draft === draft ? merge(checks.problems, refused.problems) : checks.problems
  const problems = useMemo(
    () => (attempted || !isNew ? all : all.filter(({ field }) => isTouched(touched, field))),
    [all, attempted, isNew, touched],
  )

  const set = useCallback((patch: Partial<Form>) => setForm((now) => ({ ...now, ...patch })), [])
  const touch = useCallback(
    (field: string) => setTouched((now) => (now.has(rootOf(field)) ? now : new Set(now).add(rootOf(field)))),
    [],
  )
  const context = useMemo<Context>(
    () => ({
      form,
      set,
      touch,
      isNew,
      problem: (field) => problems.find((one) => one.field === field)?.message,
      problemsIn: (field) => problems.filter((one) => isWithin(one.field, field)),
    }),
    [form, set, touch, isNew, problems],
  )

  const finish = (outcome: Outcome) => {
    if (outcome.kind === 'saved') {
      leave.allow()
      const name = pathOf(outcome.view)
      toast.done(say(outcome.created ? t.editor.created : t.editor.saved, { job: outcome.view.name }))
      // The job is saved: what the parents do not take is said, and can be repeated there.
      const adopted = parents.length > 0 ? adopt(parents, name, conflict.guard).catch(toast.failed) : null
      if (adopted) void adopted.then(() => go(paths.job(name)))
      else go(paths.job(name))
    } else if (outcome.kind === 'invalid') {
      setRefused({ draft, problems: outcome.problems })
      requestAnimationFrame(() => controlOf(outcome.problems[0]?.field ?? '')?.focus())
    } else if (outcome.kind === 'exists') {
      const message = say(t.editor.exists, { service: draft.service ?? 'default' })
      setRefused({ draft, problems: [{ field: 'name', message }] })
      requestAnimationFrame(() => controlOf('name')?.focus())
    } else if (outcome.kind === 'conflict') setTheirs(outcome.theirs)
    else if (outcome.kind === 'deleted') setGone(true)
  }
  const save = async () => {
    setAttempted(true)
    if (saving.busy) return
    const first = all[0]
    if (first) {
      requestAnimationFrame(() => controlOf(first.field)?.focus())
      return
    }
    if (loaded && !changed) {
      toast.done(say(t.editor.unchanged, { job: form.name }))
      return
    }
    finish(loaded && !gone ? await saving.save(draft, loaded) : await saving.create(draft))
  }
  useKeys({ 'mod+s': () => void save() })

  const title = copyOf
    ? say(t.editor.copyOf, { job: copyOf })
    : loaded
      ? say(t.editor.edit, { job: loaded.view.name })
      : t.editor.new
  return (
    <EditorContext value={context}>
      <EditBar
        title={title}
        problems={problems}
        checks={checks}
        changed={changed}
        busy={saving.busy}
        back={loaded ? paths.job(pathOf(loaded.view)) : '/jobs'}
        onSave={() => void save()}
      />
      {loaded && (
        <Origin loaded={loaded} applied={checks.applied} changed={changed} {...(onReload && { onReload })} />
      )}
      {saving.error !== null && theirs === null && (
        <div className="ed-top">
          <ProblemNote error={saving.error} retry={() => void save()} />
        </div>
      )}
      {gone && (
        <div className="ed-top" role="alert">
          {t.editor.conflict.deleted}{' '}
          <button type="button" className="link" onClick={() => void saving.create(draft).then(finish)}>
            {t.editor.conflict.saveNew}
          </button>
        </div>
      )}
      {attempted && problems.length > 0 && <ProblemList problems={problems} />}
      {problems.some(({ field, message }) => field === 'name' && message === existsText()) && (
        <div className="ed-top">
          <Go className="link" to={paths.job(pathOf(draft))}>
            {t.editor.openIt}: {pathOf(draft)}
          </Go>
        </div>
      )}
      <div className="edit">
        <form
          className="form"
          noValidate
          aria-label={title}
          onSubmit={(event) => {
            event.preventDefault()
            void save()
          }}
        >
          <nav className="ed-jump" aria-label={t.editor.jump}>
            {(['schedule', 'task', 'advanced'] as const).map((section) => (
              <button key={section} type="button" className="skip btn main" onClick={() => jumpTo(section)}>
                {t.editor.sections[section]}
              </button>
            ))}
          </nav>
          <Basics />
          <ScheduleSection />
          <TaskSection />
          <Advanced />
        </form>
        <Side form={form} draft={draft} />
      </div>
      {leave.asking && (
        <LeaveDialog name={isNew ? null : form.name} onStay={leave.stay} onLeave={leave.leave} />
      )}
      {conflict.dialog}
      {theirs && loaded && (
        <Conflict
          base={before}
          mine={draft}
          theirs={theirs.view}
          theirDraft={toDraft(toForm(theirs.view, form.zone), restOf(theirs.view))}
          busy={saving.busy}
          error={saving.error}
          onClose={() => setTheirs(null)}
          onTakeTheirs={() => {
            toast.done(say(t.editor.conflict.took, { revision: String(theirs.view.revision) }))
            leave.allow()
            setTheirs(null)
            onReload?.(theirs)
          }}
          onSave={(merged) => {
            void saving.save(merged, theirs).then((outcome) => {
              if (outcome.kind !== 'failed') setTheirs(null)
              if (outcome.kind === 'invalid') setForm(toForm(merged, form.zone))
              finish(outcome)
            })
          }}
        />
      )}
    </EditorContext>
  )

  function existsText(): string {
    return say(t.editor.exists, { service: form.service.trim() || 'default' })
  }
}

/** To the first control of a section: a form of sixty stops of the Tab key has to be crossed otherwise. */
function jumpTo(section: string): void {
  const head = document.getElementById(`s-${section}`)
  const control = head?.parentElement?.querySelector<HTMLElement>(
    'input, button, select, textarea, [tabindex="0"]',
  )
  control?.focus()
  head?.scrollIntoView({ block: 'start' })
}

const rootOf = (field: string) => field.replace(/[[.].*$/, '')

/** A problem is shown once its field was left: for a schedule and a strategy, each field by itself. */
function isTouched(touched: ReadonlySet<string>, field: string): boolean {
  return touched.has(rootOf(field))
}

/** Whether a problem belongs to a field, or to an item of it. `param.` is everything in a param. */
function isWithin(path: string, field: string): boolean {
  if (field.endsWith('.')) return false
  return path === field || path.startsWith(`${field}[`) || isPart(path, field)
}

/** The parts of these fields have no place of their own. */
const WHOLE = ['misfire', 'route', 'shard', 'block', 'retry', 'labels', 'exclude']
function isPart(path: string, field: string): boolean {
  return WHOLE.includes(field) && path.startsWith(`${field}.`)
}

function merge(a: Told[], b: Told[]): Told[] {
  return [...a, ...b.filter(({ field }) => !a.some((one) => one.field === field))]
}
