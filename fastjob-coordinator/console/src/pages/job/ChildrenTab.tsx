/** Which jobs this one starts when it ends. */
import { Link } from '@tanstack/react-router'
import type { JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Icon, Section } from '../../ui'

export function ChildrenTab({ job }: { job: JobView }) {
  const { t } = useI18n()
  const words = t.job.children
  const children = job.children ?? []
  if (children.length === 0) {
    return (
      <section className="sec tight">
        <p className="grey">{words.none}</p>
      </section>
    )
  }
  return (
    <Section title={words.starts} tight>
      <ul className="family">
        <li className="b">{job.name}</li>
        {children.map((child) => {
          const name = child.job.includes('.') ? child.job : `${job.service}.${child.job}`
          return (
            <li key={`${child.job} ${child.on ?? ''}`}>
              <Icon name="child" />
              <Link className="link" to="/jobs/$job" params={{ job: name }}>
                {child.job}
              </Link>
              <span className="grey">
                {(words.on as Record<string, string>)[child.on ?? 'success'] ?? child.on}
              </span>
              {child.pass_result && <span className="tag">{words.passes}</span>}
            </li>
          )
        })}
      </ul>
    </Section>
  )
}
