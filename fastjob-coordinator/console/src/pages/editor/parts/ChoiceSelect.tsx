import { useI18n } from '../../../i18n'
import { Select } from '../../../ui'
import { idOf, useEditor } from '../context'
import type { Choice } from '../model/strategies'

type Words = Record<string, { label: string; hint: string }>

/** A strategy: its name in the user's language, and its word in the definition. */
export function ChoiceSelect({
  field,
  label,
  value,
  choices,
  words,
  onChange,
  className,
}: {
  field: string
  label: string
  value: string
  choices: readonly Choice[]
  words: Words
  onChange: (value: string) => void
  className?: string
}) {
  const { problem, touch } = useEditor()
  const options = choices.map(({ name, xxl }) => ({
    value: name,
    label: words[name]?.label ?? name,
    note: <ChoiceNote name={name} xxl={xxl} />,
  }))
  // A word that a newer coordinator has.
  if (!choices.some(({ name }) => name === value)) options.push({ value, label: value, note: <></> })
  return (
    <div className={className ?? 'w280'}>
      <Select
        id={idOf(field)}
        label={label}
        value={value}
        options={options}
        invalid={problem(field) !== undefined}
        onChange={(next) => {
          if (next !== null) onChange(next)
          touch(field)
        }}
      />
    </div>
  )
}

/** The word in the definition, and that of XXL-JOB where it is another one. */
function ChoiceNote({ name, xxl }: { name: string; xxl: string | undefined }) {
  const { language } = useI18n()
  return (
    <span className="mono" data-tip={xxl && `XXL-JOB: ${xxl}`}>
      {name}
      {xxl && language === 'zh' && <span className="ed-xxl"> {xxl}</span>}
    </span>
  )
}

/** The sentence of a choice. */
export function choiceHint(words: Words, value: string): string | undefined {
  return words[value]?.hint
}
