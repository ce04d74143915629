import { useI18n } from '../../i18n'
import { Icon } from '../../ui'
import { controlOf, idOf } from './context'
import type { Told } from './useChecks'

/** Everything that has to be fixed, each with a link to its field. */
export function ProblemList({ problems }: { problems: Told[] }) {
  const { t, say } = useI18n()
  return (
    <div className="err ed-problems" role="alert">
      <Icon name="s-bad" className="bad" />
      <div>
        <h2>{say(t.editor.problemsTitle, { n: problems.length })}</h2>
        <ul className="fields">
          {problems.map(({ field, message }) => (
            <li key={field + message}>
              {field && (
                <a
                  href={`#${idOf(field)}`}
                  className="mono"
                  onClick={(event) => {
                    event.preventDefault()
                    controlOf(field)?.focus()
                  }}
                >
                  {field}
                </a>
              )}{' '}
              {message}
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}
