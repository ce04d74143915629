import { type ButtonHTMLAttributes, Children, type ReactNode, type Ref } from 'react'
import { cx } from './cx'
import { Icon, type IconName } from './Icon'
import { Menu, type MenuEntry } from './Menu'

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  /** `main` once per page; `bare` has no border; `danger` is red text. */
  look?: 'main' | 'bare' | 'danger' | 'link'
  small?: boolean
  icon?: IconName
  /** An icon at the end, such as `down`. */
  iconEnd?: IconName
  /** Only the icon is shown: `label` is its name and its tooltip. */
  label?: string
  /** Looks disabled, can still be focused, and does nothing. The reason becomes the tooltip. */
  disabled?: boolean | string | undefined
  busy?: boolean
  ref?: Ref<HTMLButtonElement>
}

/** A button. While `busy` it keeps its width and ignores clicks. */
export function Button(props: ButtonProps) {
  const { look, small, icon, iconEnd, label, disabled, busy, className, children, onClick, ...rest } = props
  const bare = Boolean(label) && Children.toArray(children).length === 0
  const off = Boolean(disabled) || busy
  const tip = typeof disabled === 'string' ? disabled : label
  return (
    <button
      type="button"
      className={cx('btn', look, small && 's', bare && 'icon', className)}
      {...(bare && { 'aria-label': label })}
      {...(tip && { 'data-tip': tip })}
      {...(off && { 'aria-disabled': true })}
      {...(busy && { 'aria-busy': true })}
      onClick={off ? (event) => event.preventDefault() : onClick}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
      {iconEnd && <Icon name={iconEnd} />}
    </button>
  )
}

/** A button with a menu of its variants. */
export function SplitButton({
  children,
  onClick,
  entries,
  menuLabel,
  look,
  icon,
  disabled,
}: {
  children: ReactNode
  onClick: () => void
  entries: MenuEntry[]
  menuLabel: string
  look?: ButtonProps['look']
  icon?: IconName
  disabled?: boolean | string
}) {
  return (
    <span className="group">
      <Button {...(look && { look })} {...(icon && { icon })} disabled={disabled} onClick={onClick}>
        {children}
      </Button>
      <Menu entries={entries} label={menuLabel}>
        <Button {...(look && { look })} icon="down" label={menuLabel} disabled={disabled} />
      </Menu>
    </span>
  )
}

/** On or off, at once. `label` names what it switches. */
export function Switch({
  on,
  onChange,
  label,
  busy,
}: {
  on: boolean
  onChange: (on: boolean) => void
  label: string
  busy?: boolean
}) {
  return (
    <button
      type="button"
      className="sw"
      role="switch"
      aria-checked={on}
      aria-label={label}
      aria-busy={busy}
      onClick={(event) => {
        event.stopPropagation()
        if (!busy) onChange(!on)
      }}
    />
  )
}

/** A box that is checked, not, or partly. */
export function Checkbox({
  checked,
  onChange,
  label,
  visible,
}: {
  checked: boolean | 'mixed'
  onChange: (checked: boolean, shift: boolean) => void
  label: string
  /** Shows the label beside the box. */
  visible?: boolean
}) {
  const box = (
    <button
      type="button"
      className="box"
      role="checkbox"
      aria-checked={checked}
      aria-label={label}
      onClick={(event) => {
        event.stopPropagation()
        onChange(checked !== true, event.shiftKey)
      }}
    >
      <Icon name={checked === 'mixed' ? 'dash' : 'check'} />
    </button>
  )
  if (!visible) return box
  return (
    <span className="check">
      {box}
      <span onClick={() => onChange(checked !== true, false)} aria-hidden="true">
        {label}
      </span>
    </span>
  )
}

/** One of few values, all of them visible. */
export function Seg<Value extends string>({
  value,
  options,
  onChange,
  label,
}: {
  value: Value
  options: readonly { value: Value; label: ReactNode; tip?: string }[]
  onChange: (value: Value) => void
  label: string
}) {
  return (
    <div className="seg" role="group" aria-label={label}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          {...(option.tip && { 'data-tip': option.tip })}
          aria-current={option.value === value ? 'true' : undefined}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.label}
        </button>
      ))}
    </div>
  )
}
