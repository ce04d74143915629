import { Menu as Base } from '@mantine/core'
import { cloneElement, type MouseEvent, type ReactElement, type ReactNode, useState } from 'react'
import { useHold } from '../api/live'
import { cx } from './cx'
import { anchor, restoreFocus } from './focus'
import { Go } from './Go'
import { Icon, type IconName } from './Icon'

/** A line of a menu: an action, a link within the console, a heading (`head`), or a divider (`null`). */
export type MenuEntry =
  | null
  | { head: ReactNode }
  | {
      label: ReactNode
      icon?: IconName
      onSelect?: () => void
      /** A path of the console, such as `/tasks?job=a.b`. */
      to?: string
      danger?: boolean
      /** The current choice. */
      checked?: boolean
      disabled?: boolean
      /** A key at its end. */
      keys?: string
    }

interface MenuProps {
  children: ReactElement
  entries: MenuEntry[]
  label: string
  align?: 'start' | 'end'
  /** Whether it is open when it appears. */
  opened?: boolean
}

/** A menu for each row of a table: only the button until it is clicked, because menus cost more than all else in a row. */
export function RowMenu({
  children,
  entries,
  ...rest
}: Omit<MenuProps, 'entries' | 'children' | 'opened'> & {
  children: ReactElement<{ onClick?: (event: MouseEvent) => void }>
  entries: () => MenuEntry[]
}) {
  const [used, setUsed] = useState(false)
  if (used) {
    return (
      <Menu {...rest} entries={entries()} opened>
        {children}
      </Menu>
    )
  }
  return cloneElement(children, {
    'aria-haspopup': 'menu',
    'aria-expanded': false,
    onClick: () => setUsed(true),
  } as object)
}

/** A menu at its only child, a button. Updates are held back while it is open. */
export function Menu({ children, entries, label, align = 'end', opened = false }: MenuProps) {
  const [open, setOpen] = useState(opened)
  useHold(open, 'menu')
  return (
    <Base
      unstyled
      opened={open}
      onChange={(now) => {
        const from = now ? null : anchor()
        setOpen(now)
        if (!now) restoreFocus(from)
      }}
      position={`bottom-${align}`}
      offset={4}
      transitionProps={{ duration: 0 }}
      classNames={{ dropdown: 'menu', item: 'menu-item', label: 'menu-head', divider: 'menu-line' }}
    >
      <Base.Target>{children}</Base.Target>
      <Base.Dropdown aria-label={label} onClick={(event) => event.stopPropagation()}>
        {entries.map((entry, index) => {
          const key = `e${index}`
          if (entry === null) return <Base.Divider key={key} />
          if ('head' in entry) return <Base.Label key={key}>{entry.head}</Base.Label>
          const inside = (
            <>
              {entry.icon && <Icon name={entry.icon} />}
              <span className="cut">{entry.label}</span>
              {entry.checked && <Icon name="check" className="end" />}
              {entry.keys && <kbd className="end">{entry.keys}</kbd>}
            </>
          )
          const common = {
            className: cx(entry.danger && 'danger'),
            disabled: entry.disabled ?? false,
            ...(entry.checked !== undefined && { 'aria-current': entry.checked }),
          }
          return entry.to !== undefined ? (
            <Base.Item key={key} {...common} component={Go} to={entry.to} onClick={() => entry.onSelect?.()}>
              {inside}
            </Base.Item>
          ) : (
            <Base.Item key={key} {...common} onClick={() => entry.onSelect?.()}>
              {inside}
            </Base.Item>
          )
        })}
      </Base.Dropdown>
    </Base>
  )
}
