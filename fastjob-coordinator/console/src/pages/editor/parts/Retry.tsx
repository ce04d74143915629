import { useI18n } from '../../../i18n'
import { millisWords } from '../../../schedule/words'
import { idOf, useEditor } from '../context'
import { places, type Retries, retries } from '../model/retries'
import { Field, TextInput } from './Field'

/** Count, delay, factor, and when the attempts will start. */
export function Retry() {
  const { t } = useI18n()
  const { form } = useEditor()
  const { fields, hints } = t.editor
  const plan = retries(form)
  return (
    <Field field="retry" label={fields.retry} small={hints.retry} group>
      <div className="ed-retry">
        <TextInput
          field="retry.count"
          name="retryCount"
          label={fields.retryCount}
          inputMode="numeric"
          placeholder="0"
        />
        <TextInput field="retry.delay" name="retryDelay" label={fields.retryDelay} placeholder="5s" />
        <span className="ed-pre">
          <span aria-hidden="true" className="grey">
            ×
          </span>
          <TextInput
            field="retry.factor"
            name="retryFactor"
            label={fields.retryFactor}
            inputMode="decimal"
            placeholder="2"
          />
        </span>
        <span className="ed-pre">
          <label className="grey" htmlFor={idOf('retry.max_delay')} aria-hidden="true">
            {hints.upTo}
          </label>
          <TextInput
            field="retry.max_delay"
            name="retryMaxDelay"
            label={fields.retryMaxDelay}
            placeholder="5m"
          />
        </span>
        <span className="ed-pre">
          <span aria-hidden="true" className="grey">
            ±
          </span>
          <TextInput
            field="retry.jitter"
            name="retryJitter"
            label={fields.retryJitter}
            inputMode="decimal"
            placeholder="0"
          />
        </span>
      </div>
      <div className="ed-delays">{plan && <Delays plan={plan} />}</div>
    </Field>
  )
}

/** The attempts on a line, as far apart as their delays. */
function Delays({ plan }: { plan: Retries }) {
  const { t, say, language } = useI18n()
  const { hints } = t.editor
  if (plan.delays.length === 0) return <p className="hint">{hints.noRetries}</p>
  const at = places(plan.delays).map((place) => 3 + place * 94)
  const number = (index: number) =>
    plan.hidden > 0 && index === at.length - 1 ? plan.delays.length + plan.hidden + 1 : index + 1
  const texts = plan.delays.map((delay) => millisWords(delay, language))
  return (
    <>
      <svg className="delays" role="img" aria-label={say(hints.delaysAre, { list: texts.join(', ') })}>
        {plan.delays.map((_, index) => (
          <line
            // biome-ignore lint/suspicious/noArrayIndexKey: attempts are their places.
            key={index}
            x1={`${at[index]}%`}
            x2={`${at[index + 1]}%`}
            y1="14"
            y2="14"
            strokeDasharray={plan.hidden > 0 && index === plan.delays.length - 1 ? '2 4' : undefined}
          />
        ))}
        {at.map((x, index) => (
          <g key={x}>
            <circle cx={`${x}%`} cy="14" r="9" />
            <text x={`${x}%`} y="18" className="n">
              {number(index)}
            </text>
          </g>
        ))}
        {plan.delays.map((_, index) => {
          const middle = ((at[index] ?? 0) + (at[index + 1] ?? 0)) / 2
          return (
            <text key={middle} x={`${middle}%`} y="36">
              {plan.delays.length > 4 ? texts[index] : say(hints.after, { for: texts[index] ?? '' })}
            </text>
          )
        })}
      </svg>
      {(plan.hidden > 0 || plan.delays.length > 1) && (
        <p className="hint">
          {plan.hidden > 0 && `${say(hints.hiddenRetries, { n: plan.hidden })} · `}
          {say(hints.total, { for: millisWords(Math.round(plan.total * (1 + plan.jitter)), language) })}
        </p>
      )}
    </>
  )
}
