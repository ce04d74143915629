import { Combobox, useCombobox } from '@mantine/core'
import { useMemo, useState } from 'react'
import { useHold } from '../api/live'
import { useI18n } from '../i18n'
import { offsetName } from '../i18n/format'
import { cx, Icon } from '../ui'
import { changesClocks, findZones, zones } from './zone'

const MOST = 100

/** A time zone, with a search by region, by city, and by the Chinese names of frequent ones. */
export function ZoneSelect({
  id,
  value,
  onChange,
  label,
  invalid,
  short,
}: {
  id?: string
  value: string
  onChange: (zone: string) => void
  label: string
  invalid?: boolean
  /** Without the note on clock changes, where there is little room. */
  short?: boolean
}) {
  const { t, language } = useI18n()
  const words = t.editor.zone
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  useHold(open, 'zone')
  const combobox = useCombobox({
    onDropdownOpen: () => {
      setOpen(true)
      setText('')
      combobox.focusSearchInput()
    },
    onDropdownClose: () => {
      setOpen(false)
      combobox.resetSelectedOption()
      combobox.focusTarget()
    },
  })
  const all = useMemo(() => zones([value, 'Asia/Shanghai']), [value])
  const found = useMemo(() => (open ? findZones(all, text) : []), [open, all, text])
  const note = (zone: string) => offsetName(zone)
  const clocks = useMemo(() => changesClocks(value, Date.now()), [value])
  return (
    <Combobox
      unstyled
      store={combobox}
      position="bottom-start"
      offset={4}
      width="target"
      transitionProps={{ duration: 0 }}
      classNames={{
        dropdown: 'menu',
        option: 'menu-item',
        search: 'menu-search',
        empty: 'menu-empty',
        options: 'menu-scroll',
      }}
      onOptionSubmit={(picked) => {
        onChange(picked)
        combobox.closeDropdown()
      }}
    >
      <Combobox.Target targetType="button">
        <button
          type="button"
          id={id}
          className={cx('in', invalid && 'no')}
          aria-label={`${label}: ${value}`}
          aria-invalid={invalid || undefined}
          onClick={() => combobox.toggleDropdown()}
        >
          <span className="cut">{value}</span>
          <span className="grey cut">
            {[value !== 'UTC' && note(value), !short && (clocks ? words.changes : words.steady)]
              .filter(Boolean)
              .join(language === 'zh' ? '，' : ', ')}
          </span>
          <Icon name="down" />
        </button>
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Search
          value={text}
          placeholder={words.search}
          aria-label={words.search}
          onChange={(event) => {
            setText(event.currentTarget.value)
            combobox.selectFirstOption()
          }}
        />
        <Combobox.Options aria-label={label}>
          {found.slice(0, MOST).map((zone) => (
            <Combobox.Option key={zone} value={zone} active={zone === value}>
              <span className="cut">{zone}</span>
              <span className="grey nw">{note(zone)}</span>
              {zone === value && <Icon name="check" className="end" />}
            </Combobox.Option>
          ))}
          {found.length > MOST && <Combobox.Empty>{words.more}</Combobox.Empty>}
          {found.length === 0 && <Combobox.Empty>{words.none}</Combobox.Empty>}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  )
}
