import { type ReactNode, useId } from 'react'
import { useI18n } from '../../../i18n'
import {
  fieldTexts,
  kindsOf,
  type Mode,
  type ModeKind,
  modeOf,
  startOf,
  withMode,
} from '../../../schedule/cron/builder'
import { parseCron } from '../../../schedule/cron/parse'
import { type Dialect, FIELDS, type FieldName } from '../../../schedule/cron/types'
import { cx, Seg } from '../../../ui'

interface Props {
  name: FieldName
  text: string
  dialect: Dialect
  onChange: (text: string) => void
}

const WEEK = [1, 2, 3, 4, 5, 6, 0]
const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const VALUES: Record<FieldName, number[]> = {
  second: span(0, 59),
  minute: span(0, 59),
  hour: span(0, 23),
  day: span(1, 31),
  month: span(1, 12),
  weekday: WEEK,
  year: span(new Date().getFullYear(), new Date().getFullYear() + 9),
}

/** What one field does. */
export function CronPanel({ name, text, dialect, onChange }: Props) {
  const { t, say } = useI18n()
  const words = t.editor.schedule
  // With an error elsewhere, the field itself may still be read.
  const field = readField(name, text)
  const mode: Mode = field ? modeOf(field) : { kind: 'text', text: '' }
  const kinds: ModeKind[] = kindsOf(name, dialect)
  const shown = kinds.includes(mode.kind) ? kinds : [...kinds, mode.kind]
  const put = (next: Mode) => onChange(withMode(text, name, next))
  return (
    <div role="tabpanel" id="cron-panel" aria-labelledby={`cron-tab-${name}`} className="ed-panel">
      <Seg<ModeKind>
        label={say(words.how, { field: words.fields[name] })}
        value={mode.kind}
        options={shown.map((kind) => ({ value: kind, label: label(kind) }))}
        onChange={(kind) => put(startOf(kind, name, field ?? undefined))}
      />
      <Control name={name} mode={mode} put={put} />
    </div>
  )

  function label(kind: ModeKind): string {
    if (kind !== 'every') return words.modes[kind]
    if (name === 'weekday') return words.modes.anyDay
    return t.editor.schedule.modes.every + (/[a-z]$/i.test(words.modes.every) ? ' ' : '') + words.fields[name]
  }
}

function readField(name: FieldName, text: string) {
  const parsed = parseCron(text)
  if (parsed.ok) return parsed.cron.fields[name]
  const { dialect, texts } = fieldTexts(text)
  const fields = FIELDS[dialect]
  // The field alone, among others that are valid.
  const neutral = dialect === 'unix' ? '* * * * *'.split(' ') : '0 0 0 * * ?'.split(' ')
  const at = fields.indexOf(name)
  if (at >= neutral.length || at < 0) return null
  neutral[at] = texts[at] ?? '*'
  if (dialect === 'quartz' && name === 'weekday' && neutral[at] !== '*') neutral[3] = '?'
  const alone = parseCron(neutral.join(' '))
  return alone.ok ? alone.cron.fields[name] : null
}

function Control({ name, mode, put }: { name: FieldName; mode: Mode; put: (mode: Mode) => void }) {
  const { t } = useI18n()
  const words = t.editor.schedule
  const values = VALUES[name]
  const say = useValueName(name)
  switch (mode.kind) {
    case 'every':
    case 'text':
      return null
    case 'list':
      return <Grid name={name} mode={mode} put={put} />
    case 'step':
      return (
        <div className="ed-line">
          <Pick
            label={words.stepEvery}
            value={mode.step}
            values={span(1, values.length)}
            onChange={(step) => put({ ...mode, step })}
          />
          <Pick
            label={words.from}
            value={mode.from}
            values={values}
            say={say}
            onChange={(from) => put({ ...mode, from })}
          />
        </div>
      )
    case 'range':
      return (
        <div className="ed-line">
          <Pick
            label={words.from}
            value={mode.from}
            values={values}
            say={say}
            onChange={(from) => put({ ...mode, from })}
          />
          <Pick
            label={words.to}
            value={mode.to}
            values={values}
            say={say}
            onChange={(to) => put({ ...mode, to })}
          />
        </div>
      )
    case 'last':
      return (
        <div className="ed-line">
          <Pick
            label={words.back}
            value={mode.back}
            values={span(0, 30)}
            onChange={(back) => put({ ...mode, back })}
          />
          <label className="check">
            <input
              type="checkbox"
              checked={mode.workday}
              onChange={(event) => put({ ...mode, workday: event.target.checked })}
            />
            {words.workday}
          </label>
        </div>
      )
    case 'near':
      return (
        <div className="ed-line">
          <Pick
            label={words.nearDay}
            value={mode.day}
            values={VALUES.day}
            onChange={(day) => put({ ...mode, day })}
          />
        </div>
      )
    case 'nth':
    case 'lastOf':
      return (
        <div className="ed-line">
          {mode.kind === 'nth' && (
            <Pick
              label={words.which}
              hidden
              value={mode.nth}
              values={span(1, 5)}
              say={(nth) => words.ordinals[`n${nth}` as keyof typeof words.ordinals]}
              onChange={(nth) => put({ ...mode, nth })}
            />
          )}
          <Pick
            label={words.fields.weekday}
            hidden
            value={mode.weekday}
            values={WEEK}
            say={say}
            onChange={(weekday) => put({ ...mode, weekday })}
          />
        </div>
      )
  }
}

/** `Mon`, `Jan`, or the number. */
function useValueName(name: FieldName): (value: number) => string {
  const { t } = useI18n()
  const { month, weekday } = t.editor
  return (value) => {
    if (name === 'month') return month[`n${value}` as keyof typeof month]
    if (name === 'weekday') return weekday[`n${value}` as keyof typeof weekday]
    return String(value)
  }
}

/** Values that are on or off. */
function Grid({
  name,
  mode,
  put,
}: {
  name: FieldName
  mode: Mode & { kind: 'list' }
  put: (mode: Mode) => void
}) {
  const { t } = useI18n()
  const say = useValueName(name)
  const values = [...new Set([...VALUES[name], ...(name === 'year' ? mode.values : [])])]
  const toggle = (value: number) => {
    const on = mode.values.includes(value)
    const next = on
      ? mode.values.filter((one) => one !== value)
      : [...mode.values, value].sort((a, b) => a - b)
    // The last value stays: nothing chosen would be everything.
    if (next.length > 0) put({ kind: 'list', values: next })
  }
  return (
    <fieldset
      className={cx('days', 'ed-grid', `ed-grid-${name}`)}
      aria-label={t.editor.schedule.fields[name]}
    >
      {values.map((value) => (
        <button
          key={value}
          type="button"
          aria-pressed={mode.values.includes(value)}
          onClick={() => toggle(value)}
        >
          {say(value)}
        </button>
      ))}
    </fieldset>
  )
}

/** One number of few: the browser's own list, which every keyboard and phone knows. */
function Pick({
  label,
  value,
  values,
  onChange,
  say = String,
  hidden,
}: {
  label: string
  value: number
  values: number[]
  onChange: (value: number) => void
  say?: (value: number) => ReactNode
  hidden?: boolean
}) {
  const id = useId()
  const all = values.includes(value) ? values : [...values, value]
  return (
    <span className="ed-pick">
      <label htmlFor={id} className={hidden ? 'sr' : undefined}>
        {label}
      </label>
      <select id={id} className="in" value={value} onChange={(event) => onChange(Number(event.target.value))}>
        {all.map((one) => (
          <option key={one} value={one}>
            {say(one)}
          </option>
        ))}
      </select>
    </span>
  )
}
