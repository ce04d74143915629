import type { ReactNode } from 'react'
import { cx, Icon, Message } from '../../../ui'
import { idOf, useEditor } from '../context'

/** A label, its control, what is wrong with it and a hint. `field` is its path in the definition. */
export function Field({
  field,
  label,
  small,
  hint,
  children,
  also = [],
  group,
  below,
}: {
  field: string
  label: string
  /** Its name in the definition, or a note, below the label. */
  small?: ReactNode
  hint?: ReactNode
  children: ReactNode
  /** Other paths whose problems are shown here. */
  also?: string[]
  /** What comes after the control and its messages. */
  below?: ReactNode
  /** Several controls: the label names the group. */
  group?: boolean
}) {
  const { problemsIn } = useEditor()
  const id = idOf(field)
  const problems = [field, ...also].flatMap((path) => problemsIn(path))
  const seen = problems.filter(
    (one, index) => problems.findIndex(({ message }) => message === one.message) === index,
  )
  const lab = (
    <>
      {label}
      {small && <small>{small}</small>}
    </>
  )
  return (
    <div className="f" {...(group && { role: 'group', 'aria-labelledby': `${id}-l` })}>
      {group ? (
        <div className="lab" id={`${id}-l`}>
          {lab}
        </div>
      ) : (
        <label className="lab" htmlFor={id}>
          {lab}
        </label>
      )}
      <div>
        {children}
        {seen.length > 0 && (
          <div id={`${id}-e`}>
            {seen.map(({ message }) => (
              <p className="hint bad" key={message}>
                <Icon name="s-bad" />
                <Message text={message} />
              </p>
            ))}
          </div>
        )}
        {hint && (
          <p className="hint" id={`${id}-h`}>
            {hint}
          </p>
        )}
        {below}
      </div>
    </div>
  )
}

type TextKey = {
  [K in keyof ReturnType<typeof useEditor>['form']]: ReturnType<typeof useEditor>['form'][K] extends string
    ? K
    : never
}[keyof ReturnType<typeof useEditor>['form']]

/** One line of text. */
export function TextInput({
  field,
  name,
  label,
  className,
  placeholder,
  mono,
  inputMode,
  readOnly,
  autoFocus,
}: {
  field: string
  name: TextKey
  /** The accessible name, where the label belongs to a group. */
  label?: string
  className?: string
  placeholder?: string
  mono?: boolean
  inputMode?: 'numeric' | 'decimal'
  readOnly?: boolean
  autoFocus?: boolean
}) {
  const { form, set, touch, problem } = useEditor()
  const id = idOf(field)
  const wrong = problem(field) !== undefined
  return (
    <input
      id={id}
      className={cx('in', className, mono && 'mono', wrong && 'no')}
      type="text"
      inputMode={inputMode}
      value={form[name]}
      placeholder={placeholder}
      readOnly={readOnly}
      aria-label={label}
      aria-invalid={wrong || undefined}
      aria-describedby={`${id}-e ${id}-h`}
      autoComplete="off"
      spellCheck={false}
      // biome-ignore lint/a11y/noAutofocus: a new job begins with its name.
      autoFocus={autoFocus}
      onChange={(event) => set({ [name]: event.target.value })}
      onBlur={() => touch(field)}
    />
  )
}
