import { useState } from 'react'
import { useFindJobs } from '../../../api/findJobs'
import { useI18n } from '../../../i18n'
import { Go, paths, Select } from '../../../ui'
import { idOf, useEditor } from '../context'
import { Field } from '../parts/Field'
import { Tokens } from '../parts/Tokens'

/** Which jobs start this one. They own the relation: it is added to their children after this job is saved. */
export function Parents() {
  const { t } = useI18n()
  const { form, set } = useEditor()
  const { fields, hints } = t.editor
  const [text, setText] = useState<string | null>('')
  const found = useFindJobs(text)
  const path = (job: { service?: string; name: string }) => `${job.service ?? 'default'}.${job.name}`
  const own = { service: form.service.trim() || 'default', name: form.name.trim() }
  const names = own.name === '' ? [] : [own.name, path(own)]
  const all = found.jobs
  const parents = all.filter((job) => job.children?.some((child) => names.includes(child.job)))
  // A job of the code would no longer follow it.
  const options = all
    .filter((job) => job.origin !== 'code' && !parents.includes(job))
    .filter((job) => path(job) !== path(own) && !form.parents.includes(path(job)))
    .map((job) => ({ value: path(job), note: job.description ?? '' }))
  return (
    <Field field="parents" label={fields.parents} group hint={hints.parent}>
      <Tokens
        id={idOf('parents')}
        items={form.parents.map((name) => ({ key: name, name, label: name }))}
        onRemove={(index) => set({ parents: form.parents.filter((_, at) => at !== index) })}
      >
        <Select
          button="bare"
          label={hints.addParent}
          placeholder={hints.addParent}
          value={null}
          options={options}
          onSearch={setText}
          searching={found.search.searching}
          onChange={(name) => name !== null && set({ parents: [...form.parents, name] })}
        />
      </Tokens>
      <div className="ed-line">
        <span className="grey">{parents.length === 0 ? hints.noParents : hints.parentsAre}</span>
        {parents.slice(0, 8).map((job) => (
          <Go key={job.id} className="link" to={`${paths.job(job.name, job.service)}/edit`}>
            {job.name}
          </Go>
        ))}
      </div>
    </Field>
  )
}
