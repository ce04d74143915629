import type { OverviewView, StatsView, TaskStats } from '../../api/types'
import { useI18n } from '../../i18n'
import { Metric, useNow } from '../../ui'
import type { Range } from './range'

/** By Little's law: how many were running, or waiting, on average in each bucket. */
const load = (stats: StatsView | undefined, step: number, of: 'run_time' | 'wait') =>
  stats?.items.map((one) => {
    const measured = one[of]
    return measured ? (measured.mean_ms * measured.count) / step : 0
  })

const rate = (stats: TaskStats | undefined) =>
  stats && stats.succeeded + stats.failed > 0 ? stats.succeeded / (stats.succeeded + stats.failed) : null

/** Four numbers, each with what it was. */
export function Figures({
  overview,
  stats,
  earlier,
  range,
  rangeName,
  noOverview,
}: {
  overview: OverviewView | undefined
  stats: StatsView | undefined
  earlier: StatsView | undefined
  range: Range
  rangeName: string
  /** The coordinator does not have the call: the counts of open tasks are unknown. */
  noOverview: boolean
}) {
  const { t, f, say } = useI18n()
  const now = useNow(true, 10_000)
  const words = t.overview.figure
  const running = load(stats, range.step, 'run_time')
  const waiting = load(stats, range.step, 'wait')
  const peak = Math.round(Math.max(0, ...(running ?? [])))
  const oldest = overview?.attention
    .filter((one) => (one.kind === 'no_executor' || one.kind === 'late') && one.since)
    .map((one) => Date.parse(one.since ?? ''))
    .sort((a, b) => a - b)[0]
  const change = stats && earlier ? stats.total.failed - earlier.total.failed : null
  const share = rate(stats?.total)
  const shareBefore = rate(earlier?.total)
  const beforeTip = say(words.beforeTip, { range: rangeName })
  const since = `since=${encodeURIComponent(new Date(range.since).toISOString())}`
  const count = (value: number | null | undefined) =>
    value === null || noOverview ? <span data-tip={words.unknown}>–</span> : f.n(value ?? 0)
  return (
    <section className="sec tight">
      <div className="panel metrics">
        <Metric
          name={words.running}
          value={count(overview?.tasks.running)}
          loading={!overview && !noOverview}
          note={
            stats && peak > 0 ? (
              <span data-tip={say(words.peakTip, { step: f.duration(range.step) })}>
                {say(words.peak, { n: peak })}
              </span>
            ) : undefined
          }
          values={running ?? []}
          to="/tasks?state=running"
        />
        <Metric
          name={words.waiting}
          value={count(overview?.tasks.queued)}
          loading={!overview && !noOverview}
          note={oldest === undefined ? undefined : say(words.oldest, { for: f.duration(now - oldest) })}
          values={waiting ?? []}
          to="/tasks?state=queued"
        />
        <Metric
          name={words.failed}
          value={f.n(stats?.total.failed ?? 0)}
          loading={!stats}
          note={
            change === null ? undefined : (
              <span data-tip={beforeTip}>
                {change === 0
                  ? words.same
                  : say(change > 0 ? words.more : words.fewer, { n: Math.abs(change) })}
              </span>
            )
          }
          values={stats?.items.map((one) => one.failed) ?? []}
          to={`/tasks?state=failed&${since}`}
        />
        <Metric
          name={words.rate}
          value={share === null ? '–' : f.percent(share, 2).replace(' %', '')}
          {...(share !== null && { unit: '%' })}
          loading={!stats}
          note={
            shareBefore === null ? undefined : (
              <span data-tip={beforeTip}>{say(words.rateBefore, { rate: f.percent(shareBefore, 2) })}</span>
            )
          }
          values={stats?.items.map((one) => rate(one)) ?? []}
          to={`/tasks?${since}`}
        />
      </div>
    </section>
  )
}
