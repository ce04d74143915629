import { useChannels } from '../../../api/queries'
import { useI18n } from '../../../i18n'
import { Button, Menu } from '../../../ui'
import { idOf, useEditor } from '../context'
import { Field, TextInput } from './Field'
import { Tokens } from './Tokens'

/** What `alarms` has if there are none, although the service has some. */
const NONE = 'none'

/** Who is told about failures, and about runs that are slow or late. */
export function Alarms() {
  const { t } = useI18n()
  const { form, set, touch, problemsIn } = useEditor()
  const { fields, hints } = t.editor
  const channels = useChannels()
  const all = channels.data?.items ?? []
  const wrong = (index: number) => problemsIn('alarms').some((one) => one.field === `alarms[${index}]`)
  const change = (alarms: string[]) => {
    set({ alarms })
    touch('alarms')
  }
  const toggle = (name: string) => {
    if (form.alarms.includes(name)) change(form.alarms.filter((one) => one !== name))
    else change(name === NONE ? [NONE] : [...form.alarms.filter((one) => one !== NONE), name])
  }
  return (
    <>
      <Field field="alarms" label={fields.alarms} small="alarms" hint={hints.alarms} group>
        <Tokens
          id={idOf('alarms')}
          items={form.alarms.map((name, index) => ({
            key: name,
            name,
            label: name === NONE ? hints.noAlarmsShort : name,
            note: all.find((one) => one.name === name)?.kind,
            wrong: wrong(index),
          }))}
          onRemove={(index) => change(form.alarms.filter((_, at) => at !== index))}
        >
          <Menu
            label={hints.addAlarm}
            entries={[
              ...all.map((one) => ({
                label: one.name,
                icon: 'bell' as const,
                checked: form.alarms.includes(one.name),
                onSelect: () => toggle(one.name),
              })),
              ...(all.length === 0 ? [{ head: hints.noChannels }] : []),
              null,
              { label: hints.noAlarms, checked: form.alarms.includes(NONE), onSelect: () => toggle(NONE) },
            ]}
          >
            <Button look="bare" small icon="plus">
              {hints.addAlarm}
            </Button>
          </Menu>
        </Tokens>
      </Field>
      {form.alarms.length > 0 && !form.alarms.includes(NONE) && (
        <>
          <Field field="alarm_when.runs_longer" label={fields.runsLonger} hint={hints.runsLonger}>
            <TextInput field="alarm_when.runs_longer" name="runsLonger" className="w160" placeholder="20m" />
          </Field>
          <Field field="alarm_when.starts_later" label={fields.startsLater}>
            <TextInput
              field="alarm_when.starts_later"
              name="startsLater"
              className="w160"
              placeholder="60s"
            />
          </Field>
        </>
      )}
    </>
  )
}
