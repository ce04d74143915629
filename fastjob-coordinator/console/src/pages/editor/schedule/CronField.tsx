import { useState } from 'react'
import { useI18n } from '../../../i18n'
import { DAILY, fieldTexts, PRESETS, presetOf, presetText, toQuartz } from '../../../schedule/cron/builder'
import { parseCron } from '../../../schedule/cron/parse'
import { FIELDS, type FieldName } from '../../../schedule/cron/types'
import { cronSentence, fieldWords } from '../../../schedule/words'
import { Button, cx } from '../../../ui'
import { idOf, useEditor } from '../context'
import { Field } from '../parts/Field'
import { CronPanel } from './CronPanel'

/** An expression: typed, or built field by field, with its meaning in words. */
export function CronField() {
  const { t, say, language } = useI18n()
  const { form, set, touch, problem } = useEditor()
  const words = t.editor.schedule
  const [tab, setTab] = useState<FieldName>('hour')
  const parsed = parseCron(form.cron)
  const { dialect, texts } = fieldTexts(form.cron)
  const names = FIELDS[dialect].filter((name, index) => name !== 'year' || index < texts.length)
  const shown = parsed.ok || texts.join(' ') === form.cron.trim()
  const current = names.includes(tab) ? tab : 'hour'
  const sentence = cronSentence(form.cron, language)
  const quartz = parsed.ok && parsed.cron.dialect === 'unix' ? toQuartz(parsed.cron) : null
  const preset = presetOf(form.cron)
  const id = idOf('schedule.cron')
  const wrong = problem('schedule.cron') !== undefined || (!parsed.ok && form.cron.trim() !== '')
  const change = (cron: string) => {
    set({ cron })
    touch('schedule.cron')
  }
  const wrongField = !parsed.ok ? fieldAt(form.cron, parsed.error.from) : -1
  return (
    <Field
      field="schedule.cron"
      label={t.editor.fields.cron}
      hint={
        // What is wrong takes the place of the words, so that nothing moves.
        problem('schedule.cron') === undefined && (
          <>
            {sentence !== null && <b className="ed-words">{say(t.editor.cron.words, { words: sentence })}</b>}{' '}
            {form.cron.trim() === '' ? t.editor.cron.notCron : dialect === 'unix' ? words.unix : words.quartz}
          </>
        )
      }
      below={
        <div className="cron">
          <div className={cx('cron-f', `ed-cols-${names.length}`)} role="tablist" aria-label={words.tabs}>
            {names.map((name, index) => {
              const field = parsed.ok ? parsed.cron.fields[name] : null
              const text = shown ? (texts[index] ?? '') : '–'
              return (
                <button
                  key={name}
                  type="button"
                  role="tab"
                  id={`cron-tab-${name}`}
                  aria-controls="cron-panel"
                  aria-selected={name === current}
                  aria-current={name === current || undefined}
                  aria-label={say(words.tab, {
                    field: words.fields[name],
                    text,
                    words: field ? fieldWords(field, language) : words.allowed[name],
                  })}
                  tabIndex={name === current ? 0 : -1}
                  className={index === wrongField ? 'ed-wrong' : undefined}
                  data-tip={words.allowed[name]}
                  onClick={() => setTab(name)}
                  onKeyDown={(event) => {
                    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
                    if (step === undefined) return
                    event.preventDefault()
                    const next = names[(index + step + names.length) % names.length] ?? name
                    setTab(next)
                    document.getElementById(`cron-tab-${next}`)?.focus()
                  }}
                >
                  <b className={cx(text.length > 8 && 'ed-long')}>{text}</b>
                  <span>{words.fields[name]}</span>
                </button>
              )
            })}
          </div>
          <div className="cron-p">
            <CronPanel name={current} text={form.cron} dialect={dialect} onChange={change} />
            <fieldset className="presets" aria-label={words.presetsLabel}>
              {PRESETS.map((one) => (
                <button
                  key={one}
                  type="button"
                  aria-pressed={one === preset}
                  aria-current={one === preset || undefined}
                  onClick={() => change(presetText(one, form.cron))}
                >
                  {words.presets[one]}
                </button>
              ))}
              {quartz && (
                <Button look="link" small className="bare" onClick={() => change(quartz)}>
                  {words.toQuartz}
                </Button>
              )}
            </fieldset>
          </div>
        </div>
      }
    >
      <input
        id={id}
        className={cx('in mono ed-cron-text', wrong && 'no')}
        type="text"
        value={form.cron}
        placeholder={DAILY}
        aria-invalid={wrong || undefined}
        aria-describedby={`${id}-e ${id}-h`}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        onChange={(event) => change(event.target.value)}
        onBlur={() => touch('schedule.cron')}
      />
    </Field>
  )
}

/** In which field a character is. */
function fieldAt(text: string, at: number): number {
  const before = text.slice(0, at).trimStart()
  return before === '' ? 0 : before.split(/\s+/).length - 1
}
