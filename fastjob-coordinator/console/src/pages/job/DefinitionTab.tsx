/** The definition as fields, TOML or JSON. */
import { useState } from 'react'
import type { JobView, Json } from '../../api/types'
import { useI18n } from '../../i18n'
import { Code, Seg } from '../../ui'
import { toToml } from '../editor/model/toml'
import { draftOf } from '../jobs/useJobActions'

type Look = 'fields' | 'toml' | 'json'

export function DefinitionTab({ job }: { job: JobView }) {
  const { t } = useI18n()
  const words = t.job.definition
  const [look, setLook] = useState<Look>('fields')
  const draft = draftOf(job)
  const fields = Object.entries(draft) as [string, Json | undefined][]
  return (
    <section className="sec tight">
      <Seg
        label={words.as}
        value={look}
        onChange={setLook}
        options={[
          { value: 'fields', label: words.fields },
          { value: 'toml', label: words.toml },
          { value: 'json', label: words.json },
        ]}
      />
      {look === 'toml' && <Code title="TOML" text={toToml(draft)} />}
      {look === 'json' && <Code title="JSON" text={JSON.stringify(draft, null, 2)} />}
      {look === 'fields' && (
        <dl className="definition">
          {fields
            .filter(([, value]) => value !== undefined && value !== null && value !== '')
            .map(([field, value]) => (
              <div key={field}>
                <dt className="mono">{field}</dt>
                <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
              </div>
            ))}
        </dl>
      )}
      {job.declared && (
        <>
          <h2 className="sec-h">{words.declared}</h2>
          <Code title="TOML" text={toToml(job.declared)} />
        </>
      )}
    </section>
  )
}
