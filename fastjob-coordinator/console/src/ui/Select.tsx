import { Combobox, useCombobox } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useHold } from '../api/live'
import { useI18n } from '../i18n'
import { cx } from './cx'
import { Icon } from './Icon'

export interface SelectOption {
  value: string
  label?: string
  /** A second, grey part. */
  note?: ReactNode
}

/** One value of a list, with a search if the list is long. As a field, or as a small button (`button`). */
export function Select({
  value,
  options,
  onChange,
  label,
  id,
  placeholder,
  button,
  clearable,
  invalid,
  free,
  align = 'start',
  onSearch,
  searching,
}: {
  value: string | null
  options: readonly SelectOption[]
  onChange: (value: string | null) => void
  /** The accessible name; a field with a `<label for=id>` leaves it out. */
  label?: string
  id?: string
  placeholder?: string
  button?: 'plain' | 'bare'
  clearable?: string
  invalid?: boolean
  /** Accepts a value that is not in the list. */
  free?: boolean
  align?: 'start' | 'end'
  /** Hears what is typed, for options that are found; null when the list closes. */
  onSearch?: (text: string | null) => void
  /** More options are looked for. */
  searching?: boolean
}) {
  const { t } = useI18n()
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  useHold(open, 'select')
  const searchable = free || onSearch !== undefined || options.length > 8
  const combobox = useCombobox({
    onDropdownOpen: () => {
      setOpen(true)
      setText('')
      onSearch?.('')
      if (searchable) combobox.focusSearchInput()
      combobox.selectActiveOption()
    },
    onDropdownClose: () => {
      setOpen(false)
      onSearch?.(null)
      combobox.resetSelectedOption()
      // The search field goes away with the focus.
      if (searchable) combobox.focusTarget()
    },
  })
  const wanted = text.trim().toLowerCase()
  const shown = options.filter((one) => `${one.value} ${one.label ?? ''}`.toLowerCase().includes(wanted))
  const chosen = options.find((one) => one.value === value)
  const shownValue = chosen?.label ?? value
  return (
    <Combobox
      unstyled
      store={combobox}
      position={`bottom-${align}`}
      offset={4}
      width={button ? 240 : 'target'}
      transitionProps={{ duration: 0 }}
      classNames={{
        dropdown: 'menu',
        option: 'menu-item',
        search: 'menu-search',
        empty: 'menu-empty',
        options: 'menu-scroll',
      }}
      onOptionSubmit={(picked) => {
        onChange(picked === '\0clear' ? null : picked)
        combobox.closeDropdown()
      }}
    >
      <Combobox.Target targetType="button">
        <button
          type="button"
          id={id}
          className={button ? cx('btn', button === 'bare' ? 'bare' : 'pick') : cx('in', invalid && 'no')}
          aria-label={label ? `${label}: ${shownValue ?? placeholder ?? ''}` : undefined}
          aria-invalid={invalid || undefined}
          onClick={() => combobox.toggleDropdown()}
        >
          <span className={cx('cut', value === null && !button && 'grey')}>
            {shownValue ?? placeholder ?? label}
          </span>
          <Icon name="down" />
        </button>
      </Combobox.Target>
      <Combobox.Dropdown>
        {searchable && (
          <Combobox.Search
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value)
              onSearch?.(event.currentTarget.value)
              combobox.updateSelectedOptionIndex()
              combobox.selectFirstOption()
            }}
            placeholder={placeholder ?? label}
            aria-label={label ?? placeholder}
          />
        )}
        <Combobox.Options aria-label={label ?? placeholder}>
          {clearable && wanted === '' && (
            <Combobox.Option value={'\0clear'} active={value === null}>
              <span>{clearable}</span>
              {value === null && <Icon name="check" className="end" />}
            </Combobox.Option>
          )}
          {shown.slice(0, 200).map((one) => (
            <Combobox.Option key={one.value} value={one.value} active={one.value === value}>
              <span className="cut">{one.label ?? one.value}</span>
              {one.note !== undefined && <span className="grey cut">{one.note}</span>}
              {one.value === value && <Icon name="check" className="end" />}
            </Combobox.Option>
          ))}
          {free && wanted !== '' && !options.some((one) => one.value === text.trim()) && (
            <Combobox.Option value={text.trim()}>{text.trim()}</Combobox.Option>
          )}
          {searching && <Combobox.Empty>{t.palette.searching}</Combobox.Empty>}
          {shown.length === 0 && !free && !searching && <Combobox.Empty>–</Combobox.Empty>}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  )
}
