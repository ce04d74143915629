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
  const options = choices.map(({ name }) => ({
    value: name,
    label: words[name]?.label ?? name,
    note: <ChoiceNote name={name} />,
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

/** The word in the definition. */
function ChoiceNote({ name }: { name: string }) {
  return <span className="mono">{name}</span>
}

/** The sentence of a choice, its word in the definition, and what XXL-JOB calls it. */
export function ChoiceHint({
  words,
  choices,
  value,
}: {
  words: Words
  choices: readonly Choice[]
  value: string
}) {
  const xxl = choices.find(({ name }) => name === value)?.xxl
  return (
    <>
      {words[value]?.hint} <span className="mono">{value}</span>
      {xxl && <span className="ed-also"> · XXL-JOB {xxl}</span>}
    </>
  )
}
