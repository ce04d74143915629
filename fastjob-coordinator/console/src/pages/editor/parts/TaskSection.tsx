import { useExecutors, useHandlers } from '../../../api/queries'
import { useI18n } from '../../../i18n'
import { ParamField } from '../../../start/param/ParamField'
import { useSchema } from '../../../start/useSchema'
import { Select } from '../../../ui'
import { idOf, useEditor } from '../context'
import { Field } from './Field'

/** The code that runs, and with what. */
export function TaskSection() {
  const { t, say } = useI18n()
  const { form, set, touch, problem } = useEditor()
  const { fields, hints, sections } = t.editor
  const service = form.service.trim() || 'default'
  const { options, known } = useHandlerOptions(service)
  const handler = form.handler.trim() || form.name.trim()
  const schema = useSchema(service, handler)
  const unknown = known && handler !== '' && !options.some((one) => one.value === handler && one.up)
  return (
    <section className="fs" aria-labelledby="s-task">
      <h2 id="s-task">{sections.task}</h2>
      <Field
        field="handler"
        label={fields.handler}
        hint={
          unknown ? (
            <span className="wait">{say(hints.handlerUnknown, { service })}</span>
          ) : (
            say(hints.handler, { service })
          )
        }
      >
        <Select
          id={idOf('handler')}
          label={fields.handler}
          value={form.handler === '' ? null : form.handler}
          options={options}
          placeholder={form.name.trim() || hints.handlerDefault}
          clearable={hints.handlerDefault}
          free
          invalid={problem('handler') !== undefined}
          onChange={(next) => {
            set({ handler: next ?? '' })
            touch('handler')
          }}
        />
      </Field>
      <Field field="param" label={fields.param} small="param" also={['param.']}>
        <ParamField
          id={idOf('param')}
          value={form.param}
          onChange={(param) => set({ param })}
          onBlur={() => touch('param')}
          schema={schema}
          problem={(field) => (field === 'param' ? undefined : problem(field))}
          hint={hints.param}
        />
      </Field>
    </section>
  )
}

/** The handlers of a service; without the call for them, those that its executors have. */
function useHandlerOptions(service: string) {
  const { t, say } = useI18n()
  const { hints } = t.editor
  const handlers = useHandlers({ service })
  const executors = useExecutors({ service })
  const up = executors.data?.items.filter((one) => one.service === service && one.connected) ?? []
  const found = new Map<string, { on: number; description: string }>()
  for (const one of handlers.data?.items ?? []) {
    if (one.service === service)
      found.set(one.handler, { on: one.executors_total, description: one.description ?? '' })
  }
  if (!handlers.data) {
    for (const executor of up) {
      for (const [name, description] of Object.entries(executor.handlers)) {
        found.set(name, { on: (found.get(name)?.on ?? 0) + 1, description })
      }
    }
  }
  const where = (n: number) =>
    n === 0
      ? hints.handlerNone
      : n >= up.length && up.length > 0
        ? say(hints.handlerAll, { n })
        : say(hints.handlerOn, { n })
  const options = [...found]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([value, { on, description }]) => ({
      value,
      up: on > 0,
      note: description ? `${description}, ${where(on)}` : where(on),
    }))
  return { options, known: executors.data !== undefined && !executors.isPlaceholderData }
}
