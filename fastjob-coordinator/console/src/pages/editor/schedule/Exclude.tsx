import { useId, useState } from 'react'
import { useI18n } from '../../../i18n'
import { dayWords, hourWords, parseDay, parseHours } from '../../../schedule/calendar'
import { Button, Menu } from '../../../ui'
import { idOf, useEditor } from '../context'
import { Field } from '../parts/Field'
import { Tokens } from '../parts/Tokens'

type Adding = 'day' | 'hours' | 'text' | null

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Days and hours without fires. */
export function Exclude() {
  const { t, language } = useI18n()
  const { form, set, touch, problemsIn } = useEditor()
  const { fields, hints } = t.editor
  const [adding, setAdding] = useState<Adding>(null)
  const wrong = (field: string) => problemsIn('exclude').some((one) => one.field === field)
  const days = form.excludeDays.map((text, index) => ({
    key: `d${text}`,
    label: dayWords(text, language),
    name: dayWords(text, language),
    wrong: wrong(`exclude.days[${index}]`),
  }))
  const hours = form.excludeHours.map((text, index) => ({
    key: `h${text}`,
    label: hourWords(text),
    name: hourWords(text),
    wrong: wrong(`exclude.hours[${index}]`),
  }))
  const add = (texts: string[]) => {
    const each = texts.map((text) => text.trim()).filter(Boolean)
    const asHours = each.filter((text) => parseHours(text) && !parseDay(text))
    const asDays = each.filter((text) => !asHours.includes(text))
    set({
      excludeDays: [...new Set([...form.excludeDays, ...asDays])],
      excludeHours: [...new Set([...form.excludeHours, ...asHours])],
    })
    touch('exclude')
    setAdding(null)
  }
  const remove = (index: number) => {
    const at = index - form.excludeDays.length
    if (at < 0) set({ excludeDays: form.excludeDays.filter((_, one) => one !== index) })
    else set({ excludeHours: form.excludeHours.filter((_, one) => one !== at) })
  }
  return (
    <Field field="exclude" label={fields.exclude} small="exclude" group>
      <Tokens id={idOf('exclude')} items={[...days, ...hours]} onRemove={remove}>
        <Menu
          label={hints.add}
          entries={[
            { label: hints.addDay, icon: 'cal', onSelect: () => setAdding('day') },
            { label: hints.addHours, icon: 'clock', onSelect: () => setAdding('hours') },
            { label: hints.asText, icon: 'edit', onSelect: () => setAdding('text') },
            null,
            { head: hints.addWeekday },
            ...WEEKDAYS.map((day) => ({
              label: dayWords(day, language),
              checked: form.excludeDays.includes(day),
              onSelect: () =>
                form.excludeDays.includes(day)
                  ? set({ excludeDays: form.excludeDays.filter((one) => one !== day) })
                  : add([day]),
            })),
          ]}
        >
          <Button look="bare" small icon="plus">
            {hints.add}
          </Button>
        </Menu>
      </Tokens>
      {adding === 'day' && <AddDay onAdd={(text) => add([text])} onClose={() => setAdding(null)} />}
      {adding === 'hours' && <AddHours onAdd={(text) => add([text])} onClose={() => setAdding(null)} />}
      {adding === 'text' && <AddText onAdd={add} onClose={() => setAdding(null)} />}
    </Field>
  )
}

function AddDay({ onAdd, onClose }: { onAdd: (text: string) => void; onClose: () => void }) {
  const { t } = useI18n()
  const { hints } = t.editor
  const id = useId()
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const [yearly, setYearly] = useState(true)
  const cut = (day: string) => (yearly ? day.slice(5) : day)
  const text = to && to !== from ? `${cut(from)}..${cut(to)}` : cut(from)
  return (
    <div className="ed-add">
      <label htmlFor={`${id}-from`}>{hints.dayFrom}</label>
      <input
        id={`${id}-from`}
        className="in"
        type="date"
        value={from}
        // biome-ignore lint/a11y/noAutofocus: it appears because it was asked for.
        autoFocus
        onChange={(event) => setFrom(event.target.value)}
      />
      <label htmlFor={`${id}-to`}>{hints.dayUntil}</label>
      <input
        id={`${id}-to`}
        className="in"
        type="date"
        value={to}
        min={from}
        onChange={(event) => setTo(event.target.value)}
      />
      <label className="check">
        <input type="checkbox" checked={yearly} onChange={(event) => setYearly(event.target.checked)} />
        {hints.everyYear}
      </label>
      <AddButtons
        ready={from !== '' && parseDay(text) !== null}
        onAdd={() => onAdd(text)}
        onClose={onClose}
      />
    </div>
  )
}

function AddHours({ onAdd, onClose }: { onAdd: (text: string) => void; onClose: () => void }) {
  const { t } = useI18n()
  const { hints } = t.editor
  const id = useId()
  const [from, setFrom] = useState('22:00')
  const [to, setTo] = useState('06:00')
  const short = (clock: string) => clock.replace(/^0(\d)/, '$1').replace(/:00$/, '')
  const text = `${short(from)}-${short(to)}`
  return (
    <div className="ed-add">
      <label htmlFor={`${id}-from`}>{hints.hoursFrom}</label>
      <input
        id={`${id}-from`}
        className="in"
        type="time"
        value={from}
        // biome-ignore lint/a11y/noAutofocus: it appears because it was asked for.
        autoFocus
        onChange={(event) => setFrom(event.target.value)}
      />
      <label htmlFor={`${id}-to`}>{hints.hoursTo}</label>
      <input
        id={`${id}-to`}
        className="in"
        type="time"
        value={to}
        onChange={(event) => setTo(event.target.value)}
      />
      <AddButtons ready={parseHours(text) !== null} onAdd={() => onAdd(text)} onClose={onClose} />
    </div>
  )
}

function AddText({ onAdd, onClose }: { onAdd: (texts: string[]) => void; onClose: () => void }) {
  const { t } = useI18n()
  const { hints } = t.editor
  const [text, setText] = useState('')
  const texts = text.split(/[,，、;\n]+/)
  return (
    <div className="ed-add">
      <input
        className="in mono ed-grow"
        aria-label={hints.asText}
        placeholder={hints.asTextHint}
        value={text}
        spellCheck={false}
        // biome-ignore lint/a11y/noAutofocus: it appears because it was asked for.
        autoFocus
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return
          event.preventDefault()
          onAdd(texts)
        }}
      />
      <AddButtons ready={text.trim() !== ''} onAdd={() => onAdd(texts)} onClose={onClose} />
    </div>
  )
}

function AddButtons({ ready, onAdd, onClose }: { ready: boolean; onAdd: () => void; onClose: () => void }) {
  const { t } = useI18n()
  return (
    <span className="ed-add-acts">
      <Button small disabled={!ready} onClick={onAdd}>
        {t.editor.hints.add}
      </Button>
      <Button look="bare" small onClick={onClose}>
        {t.act.cancel}
      </Button>
    </span>
  )
}
