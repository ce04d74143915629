import { useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { isUnknownCall } from '../../api/client'
import { itemsOf, useExecutors, useJobs, useOverview, useStats, useTasks } from '../../api/queries'
import { useI18n } from '../../i18n'
import { local } from '../../lib/store'
import { PageHead, PageSkeleton, Seg, useNow, usePatchSearch } from '../../ui'
import { Attention } from './Attention'
import { Figures } from './Figures'
import { FirstRun } from './FirstRun'
import { JobTables } from './JobTables'
import { NextHour } from './NextHour'
import { OverTime } from './OverTime'
import './overview.css'
import { Places } from './Places'
import { before, rangeOf, ranges, stepText } from './range'

/** The first page: what is wrong now, four numbers, tasks over time, what comes next. */
export default function OverviewPage() {
  const { t } = useI18n()
  const search = useSearch({ from: '/overview' })
  const [skipped, setSkipped] = useState(() => local.read('first-run-skipped', false))
  const overview = useOverview(search.service)
  const executors = useExecutors()
  const jobs = useJobs({ limit: 1 })
  const tasks = useTasks({ limit: 1 })
  const ready = jobs.data && tasks.data && executors.data
  const fresh = !skipped && ready && itemsOf(tasks.data).length === 0 && !search.service
  if (!skipped && !ready && !jobs.isError && !tasks.isError && !executors.isError) {
    return <PageSkeleton title={t.overview.title} />
  }
  if (fresh) {
    return (
      <FirstRun
        onSkip={() => {
          local.write('first-run-skipped', true)
          setSkipped(true)
        }}
      />
    )
  }
  return <Dashboard query={overview} />
}

function Dashboard({ query }: { query: ReturnType<typeof useOverview> }) {
  const { t, say } = useI18n()
  const search = useSearch({ from: '/overview' })
  const patch = usePatchSearch()
  // Another bucket begins at most once a minute: the page need not look more often.
  const now = useNow(true, 60_000)
  const range = rangeOf(search, now)
  const name = search.range ?? '24h'
  const rangeName = t.overview.ranges[name]
  const of = (one: typeof range, bucket: string) => ({
    ...(search.service && { service: search.service }),
    since: new Date(one.since).toISOString(),
    until: new Date(one.until).toISOString(),
    bucket,
  })
  const stats = useStats(of(range, stepText(range.step)))
  const earlier = before(range)
  const past = useStats(of(earlier, stepText(Math.max(range.step, 3_600_000))))
  const { data } = query
  const ended = stats.data && Object.values(sum(stats.data.total)).reduce((all, one) => all + one, 0)
  const facts = [
    data && say(t.overview.sub.jobs, { n: data.jobs.total }),
    ended !== undefined && range.moving && say(t.overview.sub.tasks, { n: ended, range: rangeName }),
    data && say(t.overview.sub.executors, { n: data.executors.connected }),
  ].filter(Boolean)
  return (
    <>
      <PageHead title={t.overview.title} sub={facts.join(' · ')}>
        <Seg
          label={t.overview.range}
          value={range.moving ? name : ''}
          options={ranges.map((value) => ({ value, label: t.overview.ranges[value] }))}
          onChange={(value) =>
            patch({ range: value === '24h' ? undefined : value, from: undefined, until: undefined })
          }
        />
      </PageHead>
      <Attention query={query} />
      <Figures
        overview={data}
        stats={stats.data}
        earlier={past.data}
        range={range}
        rangeName={rangeName}
        noOverview={!data && isUnknownCall(query.error)}
      />
      <OverTime query={stats} range={range} rangeName={rangeName} />
      <NextHour service={search.service} />
      <JobTables range={range} rangeName={rangeName} service={search.service} />
      <Places overview={data} service={search.service} />
    </>
  )
}

const sum = ({
  succeeded,
  failed,
  stopped,
  skipped,
}: Record<'succeeded' | 'failed' | 'stopped' | 'skipped', number>) => ({
  succeeded,
  failed,
  stopped,
  skipped,
})
