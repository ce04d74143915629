import { useState } from 'react'
import { useI18n } from '../../i18n'
import { cx, Icon, Select } from '../../ui'
import type { SchemaField } from './schema'
import { fieldErrors, type Members, shown, typedValue, writeMembers } from './values'

interface Props {
  id: string
  fields: SchemaField[]
  members: Members
  onChange: (text: string) => void
  onBlur?: (() => void) | undefined
  problem?: ((field: string) => string | undefined) | undefined
}

/** One control for each property of the schema. */
export function SchemaForm({ id, fields, members, onChange, onBlur, problem }: Props) {
  const { t, say } = useI18n()
  const words = t.editor.start.params
  // What was typed and is not a value yet, and which fields were left once.
  const [typed, setTyped] = useState<Record<string, string>>({})
  const [left, setLeft] = useState<Record<string, boolean>>({})
  const errors = fieldErrors(fields, members)
  const more = [...members.keys()].filter((name) => !fields.some((field) => field.name === name)).length

  const set = (field: SchemaField, text: string) => {
    const json = written(field, text)
    setTyped({ ...typed, [field.name]: text })
    const next = new Map(members)
    if (json !== undefined) next.set(field.name, json)
    else next.delete(field.name)
    onChange(writeMembers(next))
  }

  return (
    <div className="schema">
      {problem?.('param') && (
        <p className="hint bad" role="alert">
          <Icon name="s-bad" />
          <span>{problem('param')}</span>
        </p>
      )}
      {fields.map((field, index) => {
        const json = members.get(field.name)
        // What was typed, as long as the param is what it made of it.
        const before = typed[field.name]
        const own = before !== undefined && written(field, before) === json ? before : undefined
        const current = shown(field, json)
        const wrong = own !== undefined ? typedValue(field, own).error : errors.get(field.name)
        const told = problem?.(`param.${field.name}`)
        const text =
          told ??
          (wrong && (left[field.name] || own !== undefined)
            ? say(words.error[wrong], { min: String(field.min), max: String(field.max) })
            : undefined)
        const controlId = index === 0 ? id : `${id}-${field.name}`
        return (
          <div className="f" key={field.name}>
            <label htmlFor={controlId}>
              {field.title || field.name}
              <small>
                {[
                  field.title && field.title !== field.name ? field.name : '',
                  field.required && field.default === null ? words.required : '',
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </small>
            </label>
            <div>
              {current === null && own === undefined ? (
                <p className="hint" id={controlId}>
                  {words.otherType}
                </p>
              ) : (
                <Control
                  id={controlId}
                  field={field}
                  value={own ?? current ?? ''}
                  invalid={text !== undefined}
                  onChange={(next) => set(field, next)}
                  onBlur={() => {
                    setLeft({ ...left, [field.name]: true })
                    onBlur?.()
                  }}
                />
              )}
              {text !== undefined && (
                <p className="hint bad" id={`${controlId}-e`} role="alert">
                  <Icon name="s-bad" />
                  <span>{text}</span>
                </p>
              )}
              {(field.description || field.type === 'list') && (
                <p className="hint" id={`${controlId}-h`}>
                  {[field.description, field.type === 'list' ? words.oneALine : ''].filter(Boolean).join(' ')}
                </p>
              )}
            </div>
          </div>
        )
      })}
      {more > 0 && <p className="hint">{say(words.newerFields, { n: more })}</p>}
    </div>
  )
}

/** The JSON of what was typed. What is wrong stays in the param, so that it is not started with another value. */
function written(field: SchemaField, text: string): string | undefined {
  const { json, error } = typedValue(field, text)
  return json ?? (error && error !== 'missing' ? JSON.stringify(text) : undefined)
}

interface ControlProps {
  id: string
  field: SchemaField
  value: string
  invalid: boolean
  onChange: (text: string) => void
  onBlur: () => void
}

function Control({ id, field, value, invalid, onChange, onBlur }: ControlProps) {
  const { t, say } = useI18n()
  const words = t.editor.start.params
  const label = field.title || field.name
  const unset = field.default === null ? words.unset : say(words.byDefault, { value: field.default })
  if (field.type === 'boolean' || field.type === 'choice') {
    const options =
      field.type === 'boolean'
        ? [
            { value: 'true', label: words.yes },
            { value: 'false', label: words.no },
          ]
        : field.choices.map((choice) => ({ value: choice.json, label: choice.label }))
    const optional = !field.required || field.default !== null
    return (
      <Select
        id={id}
        label={label}
        value={value === '' ? null : value}
        options={options}
        placeholder={unset}
        invalid={invalid}
        {...(optional && { clearable: unset })}
        onChange={(next) => {
          onChange(next ?? '')
          onBlur()
        }}
      />
    )
  }
  const shared = {
    id,
    value,
    className: cx('in', field.type === 'list' && 'area', invalid && 'no'),
    'aria-invalid': invalid || undefined,
    'aria-describedby': `${id}-e ${id}-h`,
    spellCheck: false,
    onBlur,
  }
  if (field.type === 'list') {
    const rows = Math.min(8, Math.max(2, value.split('\n').length))
    return <textarea {...shared} rows={rows} onChange={(event) => onChange(event.target.value)} />
  }
  const numeric = field.type === 'integer' || field.type === 'number'
  return (
    <input
      {...shared}
      type="text"
      inputMode={field.type === 'integer' ? 'numeric' : numeric ? 'decimal' : undefined}
      placeholder={field.default === null ? undefined : unset}
      autoComplete="off"
      onChange={(event) => onChange(event.target.value)}
    />
  )
}
