/** One job: the switch and the start, when it fires, how it did, and its history. */
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useExecutors, useJob } from '../../api/queries'
import type { JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { useKeys } from '../../lib/keys'
import { Banner, Button, ErrorCard, Menu, PageSkeleton, SplitButton, Switch, Tabs } from '../../ui'
import { useJobActions } from '../jobs/useJobActions'
import { fullName } from '../task/shards'
import { AlarmsTab } from './AlarmsTab'
import { ChildrenTab } from './ChildrenTab'
import { DefinitionTab } from './DefinitionTab'
import { HistoryTab } from './HistoryTab'
import { OverviewTab } from './OverviewTab'
import { JOB_TABS, type JobTab } from './search'
import { TasksTab } from './TasksTab'

const route = getRouteApi('/jobs/$job')

export default function JobPage() {
  const { job: name } = route.useParams()
  const { t, say } = useI18n()
  const job = useJob(name)
  if (job.error && !job.data) {
    return (
      <section className="sec">
        <ErrorCard
          error={job.error}
          retry={() => void job.refetch()}
          actions={
            <Link className="btn" to="/jobs">
              {t.nav.jobs}
            </Link>
          }
        />
      </section>
    )
  }
  if (!job.data) return <PageSkeleton title={name.split('.').pop() ?? say(t.job.title)} />
  return <Loaded key={job.data.data.id} job={job.data.data} />
}

function Loaded({ job }: { job: JobView }) {
  const { t, say } = useI18n()
  const navigate = useNavigate()
  const search = route.useSearch()
  const act = useJobActions(() => void navigate({ to: '/jobs' }))
  const executors = useExecutors({ service: job.service })
  const name = fullName(job)
  const tab: JobTab = search.tab ?? 'overview'
  const go = (change: Record<string, unknown>) =>
    void navigate({
      to: '.',
      search: (now: Record<string, unknown>) => ({ ...now, ...change }),
      replace: true,
    })

  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the address asks for it
  useEffect(() => {
    if (!search.start) return
    act.start(job)
    go({ start: undefined })
  }, [search.start])
  useKeys({
    s: () => act.start(job),
    e: () => void navigate({ to: '/jobs/$job/edit', params: { job: name } }),
  })

  const hosts = executors.data?.items.filter(
    (one) => one.service === job.service && one.connected && job.handler && job.handler in one.handlers,
  )
  const homeless = executors.data !== undefined && hosts?.length === 0
  const owner =
    job.origin === 'code'
      ? job.overrides?.length
        ? say(t.job.overridden, { fields: job.overrides.join(', ') })
        : t.job.fromCode
      : job.declared
        ? t.job.byPeople
        : null
  const tabs = JOB_TABS.map((id) => ({
    id,
    label: t.job.tabs[id],
    count: id === 'children' && job.children?.length ? job.children.length : undefined,
  }))
  return (
    <>
      {homeless && (
        <Banner>{say(t.job.noExecutor, { service: job.service ?? '', handler: job.handler ?? '' })}</Banner>
      )}
      <nav className="crumbs" aria-label={t.pages}>
        <Link to="/jobs">{t.nav.jobs}</Link>
        <span>/</span>
        <Link to="/jobs" search={{ service: job.service ?? '' }}>
          {job.service}
        </Link>
      </nav>
      <div className="head under">
        <h1>{job.name}</h1>
        <Switch
          on={job.enabled !== false}
          label={say(job.enabled !== false ? t.jobs.switchOff : t.jobs.switchOn, { job: job.name })}
          onChange={(on) => act.setEnabled(job, on)}
          busy={act.busy}
        />
        {owner && <span className="tag hide-s">{owner}</span>}
        <div className="acts wide">
          <SplitButton
            look="main"
            icon="play"
            onClick={() => act.start(job)}
            menuLabel={t.job.act.startMore}
            entries={[
              { label: t.job.act.startMore, icon: 'play', onSelect: () => act.start(job) },
              ...act
                .menu(job)
                .filter((entry) => entry !== null && 'label' in entry && entry.label === t.jobs.act.backfill),
            ]}
          >
            {t.job.act.start}
          </SplitButton>
          <Button icon="edit" onClick={() => void navigate({ to: '/jobs/$job/edit', params: { job: name } })}>
            <span className="t">{t.job.act.edit}</span>
          </Button>
          <Menu entries={act.menu(job)} label={t.job.act.more}>
            <Button icon="more" label={t.job.act.more} />
          </Menu>
        </div>
      </div>
      <p className="lead grey">
        {[job.description, `${job.service}.${job.handler}`].filter(Boolean).join(' · ')}
      </p>
      <div className="task-tabs">
        <Tabs
          tabs={tabs}
          current={tab}
          label={t.job.title}
          onSelect={(id) => go({ tab: id === 'overview' ? undefined : id })}
        />
      </div>
      {tab === 'overview' && <OverviewTab job={job} />}
      {tab === 'tasks' && <TasksTab job={job} />}
      {tab === 'definition' && <DefinitionTab job={job} />}
      {tab === 'alarms' && <AlarmsTab job={job} />}
      {tab === 'children' && <ChildrenTab job={job} />}
      {tab === 'history' && <HistoryTab job={job} />}
      {act.dialog}
    </>
  )
}
