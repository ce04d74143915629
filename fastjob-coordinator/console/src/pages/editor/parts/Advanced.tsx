import { useExecutors } from '../../../api/queries'
import { useI18n } from '../../../i18n'
import { Select } from '../../../ui'
import { idOf, useEditor } from '../context'
import { BLOCKS, ROUTES, SCOPES, SHARDS } from '../model/strategies'
import { Alarms } from './Alarms'
import { Children } from './Children'
import { ChoiceHint, ChoiceSelect } from './ChoiceSelect'
import { Field, TextInput } from './Field'
import { Retry } from './Retry'

/** Where it runs, how many at a time, and what happens when it fails. */
export function Advanced() {
  const { t } = useI18n()
  const { form, set } = useEditor()
  const { fields, hints, sections, strategies } = t.editor
  const waits = form.block === 'serial' || form.block === 'parallel'
  return (
    <section className="fs" aria-labelledby="s-advanced">
      <h2 id="s-advanced">{sections.advanced}</h2>
      <Field
        field="route"
        label={fields.route}
        small="route"
        hint={<ChoiceHint words={strategies.route} choices={ROUTES} value={form.route} />}
      >
        <ChoiceSelect
          field="route"
          label={fields.route}
          value={form.route}
          choices={ROUTES}
          words={strategies.route}
          onChange={(route) => set({ route })}
        />
        {form.route === 'specific' && <SpecificExecutor />}
      </Field>
      <Field
        field="shard"
        label={fields.shard}
        small="shard"
        hint={<ChoiceHint words={strategies.shard} choices={SHARDS} value={form.shard} />}
      >
        <ChoiceSelect
          field="shard"
          label={fields.shard}
          value={form.shard}
          choices={SHARDS}
          words={strategies.shard}
          onChange={(shard) => set({ shard })}
        />
        {form.shard === 'dynamic' && (
          <div className="ed-under">
            <TextInput
              field="shard.dynamic"
              name="shardFilter"
              label={fields.shardFilter}
              mono
              placeholder="region in (eu, us)"
            />
            <p className="hint">{hints.shardFilter}</p>
          </div>
        )}
        {form.shard === 'count' && (
          <div className="ed-bounds">
            <label htmlFor={idOf('shard.count')}>{fields.shardCount}</label>
            <TextInput field="shard.count" name="shardCount" inputMode="numeric" placeholder="8" />
          </div>
        )}
      </Field>
      <Field
        field="block"
        label={fields.block}
        small="block"
        hint={<ChoiceHint words={strategies.block} choices={BLOCKS} value={form.block} />}
      >
        <div className="ed-two">
          <ChoiceSelect
            field="block"
            label={fields.block}
            value={form.block}
            choices={BLOCKS}
            words={strategies.block}
            onChange={(block) => set({ block })}
          />
          <ChoiceSelect
            field="block.scope"
            label={fields.blockScope}
            value={form.blockScope}
            choices={SCOPES}
            words={strategies.scope}
            onChange={(blockScope) => set({ blockScope })}
          />
        </div>
        {waits && (
          <div className="ed-bounds">
            {form.block === 'parallel' && (
              <>
                <label htmlFor={idOf('block.max_running')}>{fields.maxRunning}</label>
                <TextInput field="block.max_running" name="maxRunning" inputMode="numeric" placeholder="16" />
              </>
            )}
            <label htmlFor={idOf('block.max_waiting')}>{fields.maxWaiting}</label>
            <TextInput field="block.max_waiting" name="maxWaiting" inputMode="numeric" placeholder="1000" />
          </div>
        )}
      </Field>
      <Field field="timeout" label={fields.timeout} small="timeout" hint={hints.timeout}>
        <TextInput field="timeout" name="timeout" className="w160" placeholder="10m" />
      </Field>
      <Field field="grace" label={fields.grace} small="grace" hint={hints.grace}>
        <TextInput field="grace" name="grace" className="w160" placeholder="10s" />
      </Field>
      <Retry />
      <Field field="no_executor" label={fields.noExecutor} small="no_executor" hint={hints.noExecutor}>
        <TextInput field="no_executor" name="noExecutor" className="w160" placeholder="60s" />
      </Field>
      <Children />
      <Alarms />
    </section>
  )
}

function SpecificExecutor() {
  const { t } = useI18n()
  const { form, set, touch, problem } = useEditor()
  const { fields, hints } = t.editor
  const service = form.service.trim() || 'default'
  const executors = useExecutors({ service })
  const of = executors.data?.items.filter((one) => one.service === service) ?? []
  return (
    <div className="ed-under w280">
      <Select
        id={idOf('route.specific')}
        label={fields.executor}
        value={form.executor === '' ? null : form.executor}
        placeholder={hints.executor}
        options={of.map((one) => ({ value: one.name, note: t.state[one.state] }))}
        free
        invalid={problem('route.specific') !== undefined}
        onChange={(executor) => {
          set({ executor: executor ?? '' })
          touch('route.specific')
        }}
      />
    </div>
  )
}
