import { useI18n } from '../../i18n'
import { Button, Go, Icon } from '../../ui'
import { controlOf } from './context'
import type { Checks, Told } from './useChecks'

/** The head of the editor, which stays in view: what it is, what is wrong, save. */
export function EditBar({
  title,
  problems,
  checks,
  changed,
  busy,
  back,
  onSave,
}: {
  title: string
  problems: Told[]
  checks: Checks
  changed: boolean
  busy: boolean
  back: string
  onSave: () => void
}) {
  const { t, say } = useI18n()
  const count = say(t.editor.problems, { n: problems.length })
  return (
    <div className="editbar">
      <Go className="grey hide-s" to="/jobs">
        {t.nav.jobs}
      </Go>
      <span className="grey hide-s" aria-hidden="true">
        /
      </span>
      <h1 className="cut">{title}</h1>
      <div className="acts">
        {problems.length > 0 ? (
          <button
            type="button"
            className="st bad ed-count"
            onClick={() => controlOf(problems[0]?.field ?? '')?.focus()}
          >
            <Icon name="s-bad" />
            <span className="hide-s">{count}</span>
            <span className="only-s">{problems.length}</span>
          </button>
        ) : (
          <span className="grey small hide-s">
            {checks.state === 'unreachable' ? t.editor.unchecked : changed ? t.editor.unsaved : ''}
          </span>
        )}
        <span className="sr" role="status" aria-live="polite">
          {problems.length > 0 ? count : checks.state === 'checked' ? t.editor.noProblems : ''}
        </span>
        <Go className="btn" to={back}>
          {t.act.cancel}
        </Go>
        <Button look="main" busy={busy} onClick={onSave} data-tip="Ctrl S">
          {t.act.save}
        </Button>
      </div>
    </div>
  )
}
