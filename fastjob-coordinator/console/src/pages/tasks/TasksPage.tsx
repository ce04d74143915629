/** The list of tasks: the address holds the whole view, filters apply at once. */
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { useFindJobs } from '../../api/findJobs'
import { live, useHold, useLivePart } from '../../api/live'
import { itemsOf, useExecutors, useJob, useServices, useTasks } from '../../api/queries'
import { useSearchOn } from '../../api/searchOn'
import type { TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { local } from '../../lib/store'
import { formatTokens, searchOf, type Token, tokensOf } from '../../lib/tokens'
import {
  BulkBar,
  Button,
  Dialog,
  Empty,
  ErrorCard,
  Menu,
  NewPill,
  NothingYet,
  Pager,
  Table,
  TokenSearch,
  useSelection,
} from '../../ui'
import { scheduleOf } from '../jobs/schedule'
import { fullName } from '../task/shards'
import { useTaskActions } from '../task/useTaskActions'
import { BulkDialog } from './BulkDialog'
import { COLUMNS, type ColumnId, useTaskColumns } from './columns'
import { filterOf } from './filter'
import { useTaskPeek } from './peek'
import { Rail } from './Rail'
import { RangeDialog } from './RangeDialog'
import { useUsual } from './usual'

const route = getRouteApi('/tasks')
const LISTS = ['state', 'label']
const STATES = ['queued', 'running', 'stopping', 'succeeded', 'failed', 'stopped', 'skipped']
const CAUSES = ['schedule', 'misfire', 'manual', 'api', 'parent', 'backfill']
const REASONS = ['error', 'fatal_error', 'timed_out', 'executor_lost', 'panicked', 'no_executor']

/** How long the range of a list stays that was searched over several pages: another range is searched from its beginning. */
const FAR = 15 * 60_000

/** The instant to which ranges such as `24h` relate moves on each minute, unless that would move what is read. */
function useMinute(searchedFar: { current: boolean }): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => {
      if (live.get().holds.length > 0) return
      const then = Date.now()
      setNow((now) => (searchedFar.current && then - now < FAR ? now : then))
    }, 60_000)
    return () => clearInterval(timer)
  }, [searchedFar])
  return now
}

export default function TasksPage() {
  const { t, f, say } = useI18n()
  const navigate = useNavigate()
  const search = route.useSearch()
  const { service, ...own } = search
  const searchedFar = useRef(false)
  const now = useMinute(searchedFar)
  const filter = useMemo(() => filterOf(search, search.service, now), [search, now])
  const { order: _order, ...matched } = filter
  const list = useTasks(filter)
  const rows = itemsOf(list.data)
  const searched = useSearchOn(list, JSON.stringify(filter))
  searchedFar.current = (list.data?.pages.length ?? 1) > 1
  const selection = useSelection<number>()
  const act = useTaskActions()
  const [bulk, setBulk] = useState<'stop' | 'rerun' | null>(null)
  const [range, setRange] = useState(false)
  const [sheet, setSheet] = useState(false)
  const [hidden, setHidden] = useState<ColumnId[]>(() => local.read('tasks.hidden', []))
  // Each answer changes all rows.
  const usual = useDeferredValue(useUsual(rows.map(fullName)))
  const shown = useMemo(() => new Set(COLUMNS.filter((id) => !hidden.includes(id))), [hidden])
  const { peek, panel } = useTaskPeek(rows)
  const columns = useTaskColumns(usual, shown, act, search.job !== undefined, peek)

  const ofJob = useJob(search.job ?? '', 0, { enabled: search.job?.includes('.') ?? false })
  const zone = ofJob.data && scheduleOf(ofJob.data.data)?.zone

  const keys = useTokenKeys()
  const names = keys.map((one) => one.key)
  // Text in the error is what stands in the field as free words: as a token beside them it could not be removed.
  const text = own.error ?? ''
  const tokens = tokensOf({ ...own, error: undefined }, names)
  const apply = (next: Token[], error: string) => {
    const found = searchOf(next, LISTS)
    void navigate({
      to: '/tasks',
      search: {
        ...(service && { service }),
        ...(own.order && { order: own.order }),
        ...found,
        ...(error && { error }),
      },
    })
  }
  const drop = ({ key, value }: Token) =>
    apply(
      tokens.filter((one) => one.key !== key || one.value !== value),
      key === 'error' ? '' : text,
    )

  // What is read below the first rows must not move: newer rows wait for a click.
  const scrolled = useScrolled()
  useHold(scrolled, 'scrolled')
  const pending = useLivePart((state) => state.pending)

  const pages = list.data?.pages ?? []
  const last = pages[pages.length - 1]
  const unanswered = [...new Set(pages.flatMap((page) => page.unanswered ?? []))]
  const toggleColumn = (id: ColumnId) => {
    const next = hidden.includes(id) ? hidden.filter((one) => one !== id) : [...hidden, id]
    setHidden(next)
    local.write('tasks.hidden', next)
  }
  const rail = (
    <Rail
      search={own}
      service={service}
      filter={filter}
      onRange={() => {
        setSheet(false)
        setRange(true)
      }}
      onPick={() => setSheet(false)}
    />
  )
  const orders = (['newest', 'oldest', 'run_time'] as const).map((order) => ({
    label: t.tasks.order[order],
    checked: (own.order ?? 'newest') === order,
    onSelect: () =>
      void navigate({ to: '/tasks', search: { ...search, order: order === 'newest' ? undefined : order } }),
  }))
  return (
    <div className="split">
      <aside className="states" aria-label={t.act.filters}>
        <h1 className="rail-title">{t.tasks.title}</h1>
        {rail}
      </aside>
      <section>
        <div className="head only-s">
          <h1>{t.tasks.title}</h1>
        </div>
        <div className="tools">
          <TokenSearch
            tokens={tokens}
            text={text}
            keys={keys}
            onChange={apply}
            placeholder={t.tasks.search}
            label={t.tasks.searchLabel}
          />
          <Button
            className="only-s"
            icon="check"
            label={t.act.select}
            aria-pressed={selection.picking}
            onClick={() => (selection.picking ? selection.clear() : selection.setPicking(true))}
          />
          <Button className="only-s" icon="filter" label={t.act.filters} onClick={() => setSheet(true)} />
          <Menu
            label={t.tasks.columns.pick}
            entries={[
              { head: t.tasks.columns.pick },
              ...COLUMNS.map((id) => ({
                label: t.tasks.columns[id],
                checked: shown.has(id),
                onSelect: () => toggleColumn(id),
              })),
              null,
              { head: t.tasks.order.label },
              ...orders,
            ]}
          >
            <Button className="hide-s" icon="cols" label={t.tasks.columns.pick} />
          </Menu>
        </div>
        {unanswered.length > 0 && (
          <p className="note-line wait">
            {say(t.tasks.unanswered, { n: unanswered.length, list: unanswered.join(', ') })}
          </p>
        )}
        {scrolled && pending > 0 && selection.size === 0 && (
          <NewPill count={null} onClick={() => scrollTo({ top: 0 })} />
        )}
        {list.error && rows.length === 0 ? (
          <section className="sec">
            <ErrorCard error={list.error} retry={() => void list.refetch()} />
          </section>
        ) : rows.length === 0 && !list.isPending && !last?.next_cursor ? (
          <NoTasks
            tokens={tokensOf(own, names)}
            onDrop={drop}
            onAny={() =>
              apply(
                tokens.filter((one) => one.key !== 'since' && one.key !== 'until'),
                text,
              )
            }
          />
        ) : rows.length === 0 && searched.stopped ? (
          <NothingYet search={searched} icon="tasks" />
        ) : (
          <Table<TaskView, number>
            label={t.tasks.title}
            className="tasks"
            columns={columns}
            rows={rows}
            rowKey={(task) => task.id}
            rowName={(task) => `${task.job} ${task.id}`}
            selection={selection}
            onPeek={peek}
            loading={list.isPending || (rows.length === 0 && searched.searching)}
            skeletons={searched.searching ? 4 : 14}
            group={(task, before) => {
              if (own.order === 'run_time') return null
              const day = f.day(task.created_at)
              const here = before ? f.day(before.created_at) : f.day(new Date().toISOString())
              return day === here ? null : (
                <span className="grey small">{`${f.weekday(task.created_at)} · ${day}`}</span>
              )
            }}
          />
        )}
        {(rows.length > 0 || (last?.next_cursor && !searched.stopped)) && (
          <Pager list={list} search={searched} n={rows.length}>
            {say(t.tasks.end, { n: rows.length })}
          </Pager>
        )}
        <BulkBar selection={selection} total={list.hasNextPage ? undefined : rows.length}>
          <Button icon="s-stop" onClick={() => setBulk('stop')}>
            {t.tasks.bulk.stop}
          </Button>
          <Button icon="redo" onClick={() => setBulk('rerun')}>
            {t.tasks.bulk.again}
          </Button>
          {list.hasNextPage && !selection.matching && (
            <Button onClick={() => selection.setMatching(true)}>{t.tasks.bulk.allMatching}</Button>
          )}
        </BulkBar>
      </section>
      {bulk && (
        <BulkDialog
          action={bulk}
          what={selection.matching ? { filter: matched } : { tasks: [...selection.keys] }}
          onClose={() => setBulk(null)}
          onDone={selection.clear}
        />
      )}
      {range && (
        <RangeDialog
          since={filter.since}
          until={filter.until}
          zone={zone}
          onClose={() => setRange(false)}
          onApply={(since, until) => {
            setRange(false)
            void navigate({ to: '/tasks', search: { ...search, since, until } })
          }}
        />
      )}
      {sheet && (
        <Dialog
          title={t.act.filters}
          onClose={() => setSheet(false)}
          foot={<Button onClick={() => setSheet(false)}>{t.act.close}</Button>}
        >
          <div className="states sheet">{rail}</div>
        </Dialog>
      )}
      {act.dialog}
      {panel}
    </div>
  )
}

function NoTasks({
  tokens,
  onDrop,
  onAny,
}: {
  tokens: readonly Token[]
  onDrop: (token: Token) => void
  onAny: () => void
}) {
  const { t, say } = useI18n()
  const words = t.tasks.none
  if (tokens.length === 0) {
    return (
      <Empty icon="tasks" title={words.never}>
        {words.neverDetail}
      </Empty>
    )
  }
  const last = tokens[tokens.length - 1]
  return (
    <Empty
      icon="tasks"
      title={words.title}
      actions={
        <>
          {last && (
            <Button onClick={() => onDrop(last)}>{say(words.drop, { token: formatTokens([last]) })}</Button>
          )}
          {tokens.some((one) => one.key === 'since') && <Button onClick={onAny}>{words.anyTime}</Button>}
        </>
      }
    >
      {words.detail}
    </Empty>
  )
}

/** The keys of tokens, with values that exist. */
function useTokenKeys() {
  const { t } = useI18n()
  const hints = t.tasks.tokens
  const [part, setPart] = useState<string | null>(null)
  const { jobs } = useFindJobs(part)
  const executors = useExecutors()
  const services = useServices()
  const starts = (values: readonly string[]) => (text: string) =>
    values.filter((one) => one.toLowerCase().includes(text.toLowerCase()))
  const jobNames = jobs.map((job) => `${job.service}.${job.name}`)
  return [
    { key: 'state', hint: hints.state, values: starts(STATES) },
    { key: 'job', hint: hints.job, values: starts(jobNames), ask: setPart },
    {
      key: 'executor',
      hint: hints.executor,
      values: starts(executors.data?.items.map((one) => one.name) ?? []),
    },
    {
      key: 'service',
      hint: hints.service,
      values: starts(services.data?.items.map((one) => one.service) ?? []),
    },
    { key: 'error', hint: hints.error },
    { key: 'reason', hint: hints.reason, values: starts(REASONS) },
    { key: 'cause', hint: hints.cause, values: starts(CAUSES) },
    { key: 'longer', hint: hints.longer, values: starts(['10s', '1m', '10m', '1h']) },
    { key: 'late', hint: hints.late, values: starts(['1s', '5s', '1m']) },
    { key: 'label', hint: hints.label },
    { key: 'key', hint: hints.key },
    { key: 'since', hint: hints.since, values: starts(['1h', 'today', '24h', '7d', '30d']) },
    { key: 'until', hint: hints.until, values: starts(['1h', '24h']) },
  ]
}

/** Whether the page is scrolled away from its newest rows. */
function useScrolled(): boolean {
  const [scrolled, setScrolled] = useState(false)
  useEffect(() => {
    const look = () => setScrolled(scrollY > 160)
    addEventListener('scroll', look, { passive: true })
    return () => removeEventListener('scroll', look)
  }, [])
  return scrolled
}
