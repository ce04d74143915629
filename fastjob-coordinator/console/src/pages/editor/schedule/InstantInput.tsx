import { useState } from 'react'
import { useI18n } from '../../../i18n'
import { toInstant, toLocal } from '../../../schedule/zone'
import { Button, cx, Time } from '../../../ui'
import { idOf, useEditor } from '../context'

/** An instant, picked on the wall clock of the zone of the form. */
export function InstantInput({
  field,
  name,
  label,
  optional,
}: {
  field: string
  name: 'once' | 'startAt' | 'endAt'
  label: string
  optional?: boolean
}) {
  const { t } = useI18n()
  const { form, set, touch, problem } = useEditor()
  const id = idOf(field)
  const wrong = problem(field) !== undefined
  const instant = form[name]
  // While it is typed, the picker may have no value for some keys.
  const [typed, setTyped] = useState<string | null>(null)
  const local = toLocal(instant, form.zone)
  return (
    <div className="ed-instant">
      <input
        id={id}
        type="datetime-local"
        step={1}
        className={cx('in', wrong && 'no')}
        aria-label={label}
        aria-invalid={wrong || undefined}
        aria-describedby={`${id}-e ${id}-h`}
        value={typed ?? local}
        onChange={(event) => {
          setTyped(event.target.value)
          const next = toInstant(event.target.value, form.zone)
          set({ [name]: next ?? '' })
        }}
        onBlur={() => {
          setTyped(null)
          touch(field)
        }}
      />
      <span className="grey small">{local && <Time at={instant} />}</span>
      {optional && instant !== '' && (
        <Button
          look="bare"
          small
          icon="x"
          label={`${label}: ${t.editor.hints.clear}`}
          onClick={() => set({ [name]: '' })}
        />
      )}
    </div>
  )
}
