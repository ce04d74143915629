import { useExecutors, useHandlers, useServices } from '../../../api/queries'
import { useI18n } from '../../../i18n'
import { Button, cx, Select } from '../../../ui'
import { idOf, useEditor } from '../context'
import { Field, TextInput } from './Field'

/** Name, service, description, labels. */
export function Basics() {
  const { t } = useI18n()
  const { form, set, isNew, touch, problem } = useEditor()
  const { fields, hints, sections } = t.editor
  const services = useServiceOptions()
  return (
    <section className="fs" aria-labelledby="s-basics">
      <h2 id="s-basics">{sections.basics}</h2>
      <Field field="name" label={fields.name} hint={isNew ? hints.name : hints.fixed}>
        <TextInput field="name" name="name" readOnly={!isNew} autoFocus={isNew} />
      </Field>
      <Field field="service" label={fields.service} hint={isNew ? hints.service : undefined}>
        {isNew ? (
          <Select
            id={idOf('service')}
            label={fields.service}
            value={form.service}
            options={services}
            free
            invalid={problem('service') !== undefined}
            onChange={(service) => {
              if (service !== null) set({ service })
              touch('service')
            }}
          />
        ) : (
          <TextInput field="service" name="service" readOnly />
        )}
      </Field>
      <Field field="description" label={fields.description}>
        <TextInput field="description" name="description" />
      </Field>
      <Field field="labels" label={fields.labels} small="labels" hint={hints.labels} group>
        <Labels />
      </Field>
    </section>
  )
}

/** The services that there are, with how many executors are up. */
function useServiceOptions() {
  const { t, say } = useI18n()
  const { hints } = t.editor
  const services = useServices()
  const executors = useExecutors()
  const handlers = useHandlers()
  const up = new Map<string, number>([['default', 0]])
  for (const one of services.data?.items ?? []) up.set(one.service, one.executors)
  for (const one of handlers.data?.items ?? []) up.set(one.service, up.get(one.service) ?? 0)
  if (!services.data) {
    for (const one of executors.data?.items ?? []) {
      up.set(one.service, (up.get(one.service) ?? 0) + (one.connected ? 1 : 0))
    }
  }
  return [...up]
    .sort(([a, upA], [b, upB]) => Number(upB > 0) - Number(upA > 0) || a.localeCompare(b))
    .map(([value, n]) => ({ value, note: n > 0 ? say(hints.executorsUp, { n }) : hints.noExecutors }))
}

function Labels() {
  const { t, say } = useI18n()
  const { form, set, touch, problem } = useEditor()
  const { hints } = t.editor
  const change = (index: number, patch: { key?: string; value?: string }) =>
    set({ labels: form.labels.map((label, at) => (at === index ? { ...label, ...patch } : label)) })
  const add = () => {
    set({ labels: [...form.labels, { key: '', value: '' }] })
    const at = form.labels.length
    requestAnimationFrame(() => document.getElementById(`f-label-${at}`)?.focus())
  }
  return (
    <div className="ed-labels" id={idOf('labels')} tabIndex={-1}>
      {form.labels.map((label, index) => {
        const name = say(hints.label, { n: index + 1 })
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a label has no other identity while it is typed.
          <div className="ed-label" key={index}>
            <input
              id={`f-label-${index}`}
              className={cx('in mono', problem('labels') && 'no')}
              aria-label={`${hints.labelKey}, ${name}`}
              placeholder={hints.labelKey}
              value={label.key}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => change(index, { key: event.target.value })}
              onBlur={() => touch('labels')}
            />
            <span aria-hidden="true" className="grey">
              =
            </span>
            <input
              className="in mono"
              aria-label={`${hints.labelValue}, ${name}`}
              placeholder={hints.labelValue}
              value={label.value}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => change(index, { value: event.target.value })}
              onBlur={() => touch('labels')}
            />
            <Button
              look="bare"
              small
              icon="x"
              label={say(t.act.remove, { what: label.key || name })}
              onClick={() => {
                set({ labels: form.labels.filter((_, at) => at !== index) })
                document.getElementById(idOf('labels'))?.focus()
              }}
            />
          </div>
        )
      })}
      <Button look="bare" small icon="plus" className="ed-start" onClick={add}>
        {hints.addLabel}
      </Button>
    </div>
  )
}
