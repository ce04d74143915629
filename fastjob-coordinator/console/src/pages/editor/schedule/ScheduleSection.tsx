import { type KeyboardEvent, useRef } from 'react'
import { useI18n } from '../../../i18n'
import { ZoneSelect } from '../../../schedule/ZoneSelect'
import { Checkbox, Icon, type IconName } from '../../../ui'
import { idOf, useEditor } from '../context'
import type { Kind } from '../model/form'
import { MISFIRES } from '../model/strategies'
import { hasSchedule } from '../model/write'
import { ChoiceHint, ChoiceSelect } from '../parts/ChoiceSelect'
import { Field, TextInput } from '../parts/Field'
import { CronField } from './CronField'
import { Exclude } from './Exclude'
import { InstantInput } from './InstantInput'
import { Parents } from './Parents'

/** When the job fires. */
export function ScheduleSection() {
  const { t } = useI18n()
  const { form, set, problem, touch } = useEditor()
  const { fields, hints, sections, strategies } = t.editor
  const timed = hasSchedule(form)
  return (
    <section className="fs" aria-labelledby="s-schedule">
      <h2 id="s-schedule">{sections.schedule}</h2>
      <Field field="schedule" label={fields.kind} group>
        <Kinds />
      </Field>
      {form.kind === 'cron' && <CronField />}
      {form.kind === 'fixed_rate' && (
        <Field field="schedule.fixed_rate" label={fields.fixedRate} small="fixed_rate" hint={hints.fixedRate}>
          <TextInput field="schedule.fixed_rate" name="fixedRate" className="w160" placeholder="30s" />
        </Field>
      )}
      {form.kind === 'fixed_delay' && (
        <Field
          field="schedule.fixed_delay"
          label={fields.fixedDelay}
          small="fixed_delay"
          hint={hints.fixedDelay}
        >
          <TextInput field="schedule.fixed_delay" name="fixedDelay" className="w160" placeholder="30s" />
        </Field>
      )}
      {form.kind === 'once' && (
        <Field field="schedule.once" label={fields.once} small="once" hint={hints.once}>
          <InstantInput field="schedule.once" name="once" label={fields.once} />
        </Field>
      )}
      {form.kind === 'parent' && <Parents />}
      {timed && (
        <>
          <Field field="schedule.zone" also={['exclude.zone']} label={fields.zone}>
            <div className="w280">
              <ZoneSelect
                id={idOf('schedule.zone')}
                label={fields.zone}
                value={form.zone}
                invalid={problem('schedule.zone') !== undefined}
                onChange={(zone) => {
                  set({ zone })
                  touch('schedule.zone')
                }}
              />
            </div>
          </Field>
          {form.kind !== 'once' && (
            <Field
              field="limits"
              also={['start_at', 'end_at']}
              label={hints.limits}
              small="start_at, end_at"
              group
            >
              <div className="pair">
                {(['startAt', 'endAt'] as const).map((name) => (
                  <div className="ed-limit" key={name}>
                    <label htmlFor={idOf(name === 'startAt' ? 'start_at' : 'end_at')}>{fields[name]}</label>
                    <InstantInput
                      field={name === 'startAt' ? 'start_at' : 'end_at'}
                      name={name}
                      label={fields[name]}
                      optional
                    />
                  </div>
                ))}
              </div>
            </Field>
          )}
          <Exclude />
          <Field field="jitter" label={fields.jitter} small="jitter" hint={hints.jitter}>
            <TextInput field="jitter" name="jitter" className="w160" placeholder="0s" />
          </Field>
          {misfire()}
        </>
      )}
      {/* Without a schedule there is nothing to disable, but what is disabled can be enabled. */}
      {(timed || !form.enabled) && (
        <Field field="enabled" label={fields.enabled} group>
          <div className="ed-line">
            <Checkbox
              visible
              checked={form.enabled}
              label={form.enabled ? hints.enabled : hints.disabled}
              onChange={(enabled) => set({ enabled })}
            />
          </div>
        </Field>
      )}
    </section>
  )

  function misfire() {
    return (
      <Field
        field="misfire"
        label={fields.misfire}
        small="misfire"
        hint={<ChoiceHint words={strategies.misfire} choices={MISFIRES} value={form.misfire} />}
      >
        <ChoiceSelect
          field="misfire"
          label={fields.misfire}
          value={form.misfire}
          choices={MISFIRES}
          words={strategies.misfire}
          onChange={(misfire) => set({ misfire })}
        />
        {form.misfire === 'fire_all' && (
          <div className="ed-bounds">
            <label htmlFor={idOf('misfire.fire_all.max')}>{fields.fireAllMax}</label>
            <TextInput field="misfire.fire_all.max" name="fireAllMax" inputMode="numeric" placeholder="10" />
            <label htmlFor={idOf('misfire.fire_all.window')}>{fields.fireAllWindow}</label>
            <TextInput field="misfire.fire_all.window" name="fireAllWindow" placeholder="1h" />
          </div>
        )}
      </Field>
    )
  }
}

const KINDS: { kind: Kind; icon: IconName }[] = [
  { kind: 'cron', icon: 'clock' },
  { kind: 'fixed_rate', icon: 'every' },
  { kind: 'fixed_delay', icon: 'gap' },
  { kind: 'once', icon: 'once' },
  { kind: 'parent', icon: 'child' },
  { kind: 'none', icon: 'hand' },
]

/** The kinds as cards: arrows move, as in every group of radios. */
function Kinds() {
  const { t } = useI18n()
  const { form, set, touch } = useEditor()
  const words = t.editor.strategies.kind
  const cards = useRef(new Map<Kind, HTMLButtonElement>())
  const choose = (kind: Kind) => {
    set({ kind })
    touch('schedule')
  }
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const at = KINDS.findIndex(({ kind }) => kind === form.kind)
    const next = KINDS[(at + step + KINDS.length) % KINDS.length]?.kind ?? form.kind
    choose(next)
    cards.current.get(next)?.focus()
  }
  return (
    <div className="kinds" role="radiogroup" aria-labelledby="f-schedule-l" onKeyDown={keys}>
      {KINDS.map(({ kind, icon }) => (
        <button
          key={kind}
          type="button"
          role="radio"
          aria-checked={form.kind === kind}
          id={form.kind === kind ? idOf('schedule') : undefined}
          tabIndex={form.kind === kind ? 0 : -1}
          ref={(card) => {
            if (card) cards.current.set(kind, card)
          }}
          onClick={() => choose(kind)}
        >
          <Icon name={icon} />
          <b>{words[kind].label}</b>
          <span>{words[kind].hint}</span>
        </button>
      ))}
    </div>
  )
}
