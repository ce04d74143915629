import type { useStats } from '../../api/queries'
import { useI18n } from '../../i18n'
import { Button, Chart, Go, ProblemNote, Section, Skeleton, useGo, usePatchSearch } from '../../ui'
import type { Range } from './range'

const iso = (at: number) => new Date(at).toISOString().replace('.000Z', 'Z')

/** Tasks over time. A click opens a bucket in Tasks, a drag zooms in. */
export function OverTime({
  query,
  range,
  rangeName,
}: {
  query: ReturnType<typeof useStats>
  range: Range
  rangeName: string
}) {
  const { t, f, say } = useI18n()
  const go = useGo()
  const patch = usePatchSearch()
  const words = t.overview.chart
  const { data, error, isPending, refetch } = query
  const span = `since=${encodeURIComponent(iso(range.since))}&until=${encodeURIComponent(iso(range.until))}`
  return (
    <Section
      title={words.title}
      note={say(words.every, { step: f.duration(range.step) })}
      end={
        <span className="ends">
          {!range.moving && (
            <Button look="link" small onClick={() => patch({ from: undefined, until: undefined })}>
              {say(words.reset, { range: rangeName })}
            </Button>
          )}
          <Go to={`/tasks?${span}`}>{words.open}</Go>
        </span>
      }
    >
      {isPending ? (
        <div className="chart-sk">
          <Skeleton width="100%" height={40} />
          <Skeleton width="100%" height={88} />
        </div>
      ) : error && !data ? (
        <ProblemNote error={error} retry={refetch} />
      ) : (
        data && (
          <Chart
            buckets={data.items.map((one) => ({
              at: Date.parse(one.at),
              failed: one.failed,
              succeeded: one.succeeded,
            }))}
            step={range.step}
            labels={{
              failed: t.state.failed,
              succeeded: t.state.succeeded,
              most: words.most,
              now: range.moving ? t.time.now : '',
              tip: words.tip,
              describe: say(words.describe, {
                failed: data.total.failed,
                succeeded: data.total.succeeded,
                from: f.near(range.since),
                until: f.near(range.until),
              }),
            }}
            onPick={(from, until, failed) => {
              if (until - from > range.step) patch({ from: iso(from), until: iso(until) }, { replace: false })
              else {
                const at = `since=${encodeURIComponent(iso(from))}&until=${encodeURIComponent(iso(until))}`
                go(`/tasks?${failed ? 'state=failed&' : ''}${at}`)
              }
            }}
          />
        )
      )}
    </Section>
  )
}
