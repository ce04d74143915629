import type { ReactNode } from 'react'
import { isUnknownCall } from '../../api/client'
import { useJobStats } from '../../api/queries'
import type { JobStats } from '../../api/types'
import { useI18n } from '../../i18n'
import { Go, ProblemNote, paths, Section, Skeleton } from '../../ui'
import type { Range } from './range'

const iso = (at: number) => new Date(at).toISOString()

/** The jobs that fail most, and those that take longest. A coordinator without the call shows neither. */
export function JobTables({
  range,
  rangeName,
  service,
}: {
  range: Range
  rangeName: string
  service: string | undefined
}) {
  const { t, f, say } = useI18n()
  const words = t.overview.tables
  const query = {
    since: iso(range.since),
    ...(!range.moving && { until: iso(range.until) }),
    service,
    limit: 5,
  }
  const failed = useJobStats({ ...query, order: 'failed' })
  const longest = useJobStats({ ...query, order: 'run_time' })
  if (isUnknownCall(failed.error)) return null
  const failing = failed.data?.items.filter((one) => one.failed > 0)
  const running = longest.data?.items.filter((one) => one.run_time)
  return (
    <div className="cols">
      <Mini
        title={words.fails}
        note={rangeName}
        query={failed}
        heads={[words.failed, words.of, words.rate]}
        rows={failing}
        none={say(words.noFailures, { range: rangeName })}
        cells={(one) => {
          const ended = one.succeeded + one.failed
          return [f.n(one.failed), f.n(ended), f.percent(one.failed / Math.max(1, ended))]
        }}
      />
      <Mini
        title={words.longest}
        note={rangeName}
        query={longest}
        heads={[words.p50, words.p95, words.tasks]}
        rows={running}
        none={say(words.noRuns, { range: rangeName })}
        cells={(one) => [
          f.duration(one.run_time?.p50_ms ?? 0),
          f.duration(one.run_time?.p95_ms ?? 0),
          f.n(one.run_time?.count ?? 0),
        ]}
      />
    </div>
  )
}

function Mini({
  title,
  note,
  query,
  heads,
  rows,
  cells,
  none,
}: {
  title: string
  note: string
  query: { isPending: boolean; error: unknown; refetch: () => unknown }
  heads: string[]
  rows: JobStats[] | undefined
  cells: (row: JobStats) => ReactNode[]
  none: string
}) {
  const { t } = useI18n()
  return (
    <Section title={title} note={note}>
      {query.error && !rows ? (
        <ProblemNote error={query.error} retry={query.refetch} />
      ) : rows?.length === 0 ? (
        <p className="grey">{none}</p>
      ) : (
        <table className="mini" aria-label={title}>
          <colgroup>
            <col />
            {heads.map((head) => (
              <col key={head} className="fig" />
            ))}
          </colgroup>
          <thead>
            <tr>
              <th scope="col">{t.overview.tables.job}</th>
              {heads.map((head) => (
                <th scope="col" className="num" key={head}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows
              ? rows.map((row) => (
                  <tr key={`${row.service}.${row.job}`}>
                    <td>
                      <Go to={paths.job(row.job, row.service)}>{row.job}</Go>{' '}
                      <span className="grey">{row.service}</span>
                    </td>
                    {cells(row).map((cell, index) => (
                      <td className="num" key={heads[index]}>
                        {cell}
                      </td>
                    ))}
                  </tr>
                ))
              : [70, 50, 60].map((width) => (
                  <tr key={width}>
                    <td colSpan={4}>
                      <Skeleton width={`${width}%`} />
                    </td>
                  </tr>
                ))}
          </tbody>
        </table>
      )}
    </Section>
  )
}
