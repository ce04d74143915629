import { itemsOf, useJobs } from '../../../api/queries'
import { useI18n } from '../../../i18n'
import { Go, paths } from '../../../ui'
import { useEditor } from '../context'
import { Field } from '../parts/Field'

/** Which jobs start this one. They own the relation, so it is edited there. */
export function Parents() {
  const { t } = useI18n()
  const { form } = useEditor()
  const { fields, hints } = t.editor
  const jobs = useJobs({ limit: 500 })
  const own = [form.name.trim(), `${form.service.trim()}.${form.name.trim()}`]
  const parents = itemsOf(jobs.data).filter((job) => job.children?.some((child) => own.includes(child.job)))
  return (
    <Field field="parents" label={fields.parents} group hint={hints.parent}>
      <div className="ed-line">
        {parents.length === 0 || form.name.trim() === '' ? (
          <span className="grey">{hints.noParents}</span>
        ) : (
          <>
            <span className="grey">{hints.parentsAre}</span>
            {parents.slice(0, 8).map((job) => (
              <Go key={job.id} className="link" to={`${paths.job(job.name, job.service)}/edit`}>
                {job.name}
              </Go>
            ))}
          </>
        )}
      </div>
    </Field>
  )
}
