/** The list of jobs: what each does, how its last tasks ended, when it fires next, and the switch. */
import { getRouteApi, useLocation, useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useMemo, useState } from 'react'
import { itemsOf, useJobs, useOverview, useServices } from '../../api/queries'
import { useSearchOn } from '../../api/searchOn'
import type { JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { formatTokens, searchOf, type Token, tokensOf } from '../../lib/tokens'
import {
  BulkBar,
  Button,
  Dialog,
  Empty,
  ErrorCard,
  Menu,
  NothingYet,
  PageHead,
  Pager,
  type Tab,
  Table,
  Tabs,
  TokenSearch,
  useSelection,
} from '../../ui'
import { toToml } from '../editor/model/toml'
import { saveFile } from '../task/log/download'
import { fullName } from '../task/shards'
import { BulkDialog, type JobsAction } from './BulkDialog'
import { useJobColumns } from './columns'
import { filterOf } from './filter'
import { ImportDialog } from './ImportDialog'
import { draftOf, useJobActions } from './useJobActions'
import { removeView, saveView, useSavedViews } from './views'

const route = getRouteApi('/jobs')
const LISTS = ['label']
/** Rows that stand for those that are searched: how far the search is stays in view below them. */
const FEW = 4
const ACTIONS: JobsAction[] = ['enable', 'disable', 'start', 'delete']

export default function JobsPage() {
  const { t, say } = useI18n()
  const navigate = useNavigate()
  const search = route.useSearch()
  const { service, ...own } = search
  const filter = useMemo(() => filterOf(search, search.service, Date.now()), [search])
  const { order: _order, ...matched } = filter
  const list = useJobs({ ...filter, ends: 20 })
  const rows = useMemo(() => itemsOf(list.data), [list.data])
  // Typing and keys go before drawing the rows that an answer brings.
  const drawn = useDeferredValue(rows)
  const total = list.data?.pages[0]?.total
  const searched = useSearchOn(list, JSON.stringify(filter))
  const selection = useSelection<string>()
  const act = useJobActions()
  const columns = useJobColumns(act)
  const [bulk, setBulk] = useState<JobsAction | null>(null)
  const [importing, setImporting] = useState(false)

  const keys = useTokenKeys()
  const tokens = tokensOf(
    { ...own, ...(own.running && { running: 'true' }) },
    keys.map((one) => one.key),
  )
  const apply = (next: Token[], text: string) =>
    void navigate({
      to: '/jobs',
      search: {
        ...(service && { service }),
        ...(own.order && { order: own.order }),
        ...searchOf(next, LISTS),
        ...(text && { text }),
      },
    })
  const drop = (token: Token) =>
    apply(
      tokens.filter((one) => one !== token),
      own.text ?? '',
    )
  const exportSelected = () => {
    const chosen = rows.filter((job) => selection.matching || selection.has(fullName(job)))
    saveFile('jobs.toml', [chosen.map((job) => toToml(draftOf(job))).join('\n')])
  }
  const orders = ([undefined, 'next_fire', 'changed'] as const).map((order) => ({
    label: t.jobs.order[order ?? 'name'],
    checked: own.order === order,
    onSelect: () => void navigate({ to: '/jobs', search: (now) => ({ ...now, order }) }),
  }))
  const filtered = tokens.length > 0 || own.text !== undefined
  return (
    <>
      <PageHead title={t.jobs.title}>
        <Button icon="import" onClick={() => setImporting(true)}>
          <span className="t">{t.jobs.importFile}</span>
        </Button>
        <Button look="main" icon="plus" onClick={() => void navigate({ to: '/jobs/new', search: {} })}>
          {t.jobs.new}
        </Button>
      </PageHead>
      <Views search={own} />
      <div className="tools">
        <TokenSearch
          tokens={tokens}
          text={own.text ?? ''}
          keys={keys}
          onChange={apply}
          placeholder={t.jobs.search}
          label={t.jobs.searchLabel}
        />
        <Button
          className="only-s"
          icon="check"
          label={t.act.select}
          aria-pressed={selection.picking}
          onClick={() => (selection.picking ? selection.clear() : selection.setPicking(true))}
        />
        <Menu label={t.jobs.order.label} entries={[{ head: t.jobs.order.label }, ...orders]}>
          <Button className="hide-s" iconEnd="down">
            {t.jobs.order[own.order ?? 'name']}
          </Button>
        </Menu>
      </div>
      {list.error && rows.length === 0 ? (
        <section className="sec">
          <ErrorCard error={list.error} retry={() => void list.refetch()} />
        </section>
      ) : rows.length === 0 && !list.isPending && !list.hasNextPage ? (
        filtered ? (
          <NoJobs tokens={tokens} onDrop={drop} onAll={() => apply([], '')} />
        ) : (
          <Empty
            icon="jobs"
            title={t.jobs.empty.title}
            actions={
              <Button look="main" icon="plus" onClick={() => void navigate({ to: '/jobs/new', search: {} })}>
                {t.jobs.empty.new}
              </Button>
            }
          >
            {t.jobs.empty.detail}
          </Empty>
        )
      ) : rows.length === 0 && searched.stopped ? (
        <NothingYet search={searched} icon="jobs" />
      ) : (
        <Table<JobView, string>
          label={t.jobs.title}
          className="jobs two"
          columns={columns}
          rows={drawn}
          rowKey={fullName}
          rowName={(job) => job.name}
          selection={selection}
          loading={list.isPending || (drawn.length === 0 && (rows.length > 0 || searched.searching))}
          skeletons={searched.searching ? FEW : 12}
        />
      )}
      {(rows.length > 0 || (list.hasNextPage && !searched.stopped)) && (
        <Pager list={list} search={searched} n={rows.length}>
          {total !== undefined && total > rows.length
            ? say(t.jobs.countOf, { n: rows.length, of: total })
            : say(t.jobs.count, { n: rows.length })}
        </Pager>
      )}
      <BulkBar selection={selection} total={total ?? (list.hasNextPage ? undefined : rows.length)}>
        {ACTIONS.map((action) => (
          <Button
            key={action}
            onClick={() => setBulk(action)}
            {...(action === 'delete' && { look: 'danger' as const })}
          >
            {t.jobs.bulk[action]}
          </Button>
        ))}
        {/* Only what is loaded can be exported. */}
        {!(selection.matching && list.hasNextPage) && (
          <Button icon="dl" className="hide-s" onClick={exportSelected}>
            {t.jobs.bulk.export}
          </Button>
        )}
      </BulkBar>
      {bulk && (
        <BulkDialog
          action={bulk}
          what={selection.matching ? { filter: matched } : { jobs: [...selection.keys] }}
          onClose={() => setBulk(null)}
          onDone={selection.clear}
        />
      )}
      {importing && <ImportDialog onClose={() => setImporting(false)} />}
      {act.dialog}
    </>
  )
}

const SYSTEM = [
  { id: 'all', search: '' },
  { id: 'failing', search: '?enabled=true&last=failed' },
  { id: 'running', search: '?running=true' },
  { id: 'disabled', search: '?enabled=false' },
  { id: 'never', search: '?last=none' },
] as const

/** The views: those that everybody has, with counts, and those that this browser has saved. */
function Views({ search }: { search: object }) {
  const { t, say } = useI18n()
  const service = (route.useSearch() as { service?: string }).service
  const overview = useOverview(service)
  const saved = useSavedViews()
  const location = useLocation()
  const [saving, setSaving] = useState(false)
  const [name, setName] = useState('')
  const here = location.searchStr.replace(/([?&])service=[^&]*&?/, '$1').replace(/[?&]$/, '')
  const jobs = overview.data?.jobs
  const counts: Record<string, number | undefined> = {
    all: jobs?.total,
    failing: jobs?.failing,
    disabled: jobs && jobs.total - jobs.enabled,
  }
  const tabs: Tab[] = [
    ...SYSTEM.map((view) => ({
      id: view.id,
      label: t.jobs.views[view.id],
      to: `/jobs${view.search}`,
      count: counts[view.id],
    })),
    ...saved.map((view) => ({ id: `own:${view.name}`, label: view.name, to: `/jobs${view.search}` })),
  ]
  const own = saved.find((view) => view.search === here)
  const current = own ? `own:${own.name}` : (SYSTEM.find((view) => view.search === here)?.id ?? '')
  return (
    <>
      <Tabs
        tabs={tabs}
        current={current}
        label={t.jobs.title}
        end={
          own ? (
            <Button look="bare" small icon="x" onClick={() => removeView(own.name)}>
              {say(t.jobs.removeView, { name: own.name })}
            </Button>
          ) : (
            Object.keys(search).length > 0 &&
            current === '' && (
              <Button look="bare" small icon="plus" onClick={() => setSaving(true)}>
                {t.jobs.saveView}
              </Button>
            )
          )
        }
      />
      {saving && (
        <Dialog
          title={t.jobs.saveViewTitle}
          onClose={() => setSaving(false)}
          onSubmit={() => {
            if (name.trim() === '') return
            saveView({ name: name.trim().slice(0, 40), search: here })
            setSaving(false)
            setName('')
          }}
          foot={
            <>
              <Button onClick={() => setSaving(false)}>{t.act.cancel}</Button>
              <Button type="submit" look="main" disabled={name.trim() === ''}>
                {t.act.save}
              </Button>
            </>
          }
        >
          <div className="f">
            <label htmlFor="view-name">{t.jobs.saveViewName}</label>
            <input
              id="view-name"
              className="in"
              value={name}
              maxLength={40}
              data-autofocus
              onChange={(event) => setName(event.target.value)}
            />
          </div>
        </Dialog>
      )}
    </>
  )
}

function NoJobs({
  tokens,
  onDrop,
  onAll,
}: {
  tokens: readonly Token[]
  onDrop: (token: Token) => void
  onAll: () => void
}) {
  const { t, say } = useI18n()
  const words = t.jobs.none_match
  const last = tokens[tokens.length - 1]
  return (
    <Empty
      icon="jobs"
      title={words.title}
      actions={
        <>
          {last && (
            <Button onClick={() => onDrop(last)}>{say(words.drop, { token: formatTokens([last]) })}</Button>
          )}
          <Button onClick={onAll}>{words.all}</Button>
        </>
      }
    >
      {words.detail}
    </Empty>
  )
}

function useTokenKeys() {
  const { t } = useI18n()
  const hints = t.jobs.tokens
  const services = useServices()
  const among = (values: readonly string[]) => (text: string) => values.filter((one) => one.startsWith(text))
  return [
    {
      key: 'service',
      hint: hints.service,
      values: among(services.data?.items.map((one) => one.service) ?? []),
    },
    { key: 'last', hint: hints.last, values: among(['succeeded', 'failed', 'stopped', 'skipped', 'none']) },
    { key: 'enabled', hint: hints.enabled, values: among(['true', 'false']) },
    { key: 'running', hint: hints.running, values: among(['true']) },
    {
      key: 'schedule',
      hint: hints.schedule,
      values: among(['none', 'cron', 'fixed_rate', 'fixed_delay', 'once']),
    },
    { key: 'origin', hint: hints.origin, values: among(['code', 'api']) },
    { key: 'label', hint: hints.label },
    { key: 'idle', hint: hints.idle, values: among(['7d', '30d', 'ever', 'release']) },
  ]
}
