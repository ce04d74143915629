import { useState } from 'react'
import { useFindJobs } from '../../../api/findJobs'
import { useI18n } from '../../../i18n'
import { Button, Checkbox, Go, paths, Select } from '../../../ui'
import { idOf, useEditor } from '../context'
import type { Child } from '../model/form'
import { CHILD_ENDS } from '../model/strategies'
import { Field } from './Field'

/** Jobs to start afterwards. */
export function Children() {
  const { t, say } = useI18n()
  const { form, set, touch, problem } = useEditor()
  const { fields, hints, strategies } = t.editor
  const [text, setText] = useState<string | null>('')
  const found = useFindJobs(text)
  const service = form.service.trim() || 'default'
  const options = found.jobs
    .filter((job) => !(job.name === form.name.trim() && job.service === service))
    .map((job) => ({
      value: job.service === service ? job.name : `${job.service}.${job.name}`,
      note: job.description ?? job.service,
    }))
  const change = (index: number, patch: Partial<Child>) => {
    set({ children: form.children.map((child, at) => (at === index ? { ...child, ...patch } : child)) })
    touch('children')
  }
  const remove = (index: number) => {
    set({ children: form.children.filter((_, at) => at !== index) })
    touch('children')
    document.getElementById(idOf('children'))?.focus()
  }
  return (
    <Field field="children" label={fields.children} small="children" hint={hints.children} group>
      <div className="ed-list" id={idOf('children')} tabIndex={-1}>
        {form.children.map((child, index) => {
          const nth = say(hints.childOf, { n: index + 1 })
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a child has no other identity while it is chosen.
            <div className="ed-child" key={index}>
              <Select
                id={idOf(`children[${index}].job`)}
                label={`${fields.children} ${index + 1}`}
                value={child.job === '' ? null : child.job}
                placeholder={hints.childJob}
                options={options}
                onSearch={setText}
                searching={found.search.searching}
                free
                invalid={problem(`children[${index}].job`) !== undefined}
                onChange={(job) => change(index, { job: job ?? '' })}
              />
              <Select
                id={idOf(`children[${index}].on`)}
                label={`${hints.childOn}, ${nth}`}
                value={child.on}
                options={CHILD_ENDS.map(({ name }) => ({
                  value: name,
                  label: strategies.end[name as keyof typeof strategies.end].label,
                }))}
                onChange={(on) => change(index, { on: on ?? 'success' })}
              />
              {options.some((one) => one.value === child.job) ? (
                <Go
                  className="btn bare s icon"
                  to={paths.job(child.job, child.job.includes('.') ? undefined : service)}
                  data-tip={t.act.open}
                  aria-label={`${t.act.open}: ${child.job}`}
                >
                  ↗
                </Go>
              ) : (
                <span />
              )}
              <Button
                look="bare"
                small
                icon="x"
                label={say(t.act.remove, { what: child.job || nth })}
                onClick={() => remove(index)}
              />
              <Checkbox
                visible
                checked={child.pass}
                label={hints.passResult}
                onChange={(pass) => change(index, { pass })}
              />
            </div>
          )
        })}
        <Button
          look="bare"
          small
          icon="plus"
          className="ed-start"
          onClick={() => {
            const at = form.children.length
            set({ children: [...form.children, { job: '', on: 'success', pass: false }] })
            requestAnimationFrame(() => document.getElementById(idOf(`children[${at}].job`))?.focus())
          }}
        >
          {hints.addChild}
        </Button>
      </div>
    </Field>
  )
}
