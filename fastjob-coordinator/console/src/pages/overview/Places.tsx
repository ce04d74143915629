import { useExecutors, useServices } from '../../api/queries'
import type { ExecutorView, OverviewView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Gauge, Go, ProblemNote, Section, Skeleton } from '../../ui'

/** Whether an executor gets work. A coordinator of before has `connected` alone. */
const isUp = (one: ExecutorView) => (one.state ? one.state === 'connected' : one.connected)

/** Executors by service: how many are up, how many places are used. */
export function Places({
  overview,
  service,
}: {
  overview: OverviewView | undefined
  service: string | undefined
}) {
  const { t, f, say } = useI18n()
  const words = t.overview.places
  const { data, error, isPending, refetch } = useExecutors()
  const services = useServices()
  const groups = new Map<string, ExecutorView[]>()
  for (const one of data?.items ?? []) groups.set(one.service, [...(groups.get(one.service) ?? []), one])
  const waiting = new Map<string, number>()
  for (const one of overview?.attention ?? []) {
    if (one.kind === 'no_executor' && one.service) {
      waiting.set(one.service, one.count)
      if (!groups.has(one.service)) groups.set(one.service, [])
    }
  }
  const names = [...groups.keys()].filter((name) => !service || name === service).sort()
  return (
    <Section title={words.title} note={words.note}>
      {isPending ? (
        <div className="lanes">
          <div className="lane x">
            <Skeleton width={100} />
          </div>
        </div>
      ) : error && !data ? (
        <ProblemNote error={error} retry={refetch} />
      ) : names.length === 0 ? (
        <p className="grey">{words.empty}</p>
      ) : (
        <div className="lanes">
          {names.map((name) => {
            const up = (groups.get(name) ?? []).filter(isUp)
            const used = up.reduce((sum, one) => sum + one.attempts, 0)
            const all = up.reduce((sum, one) => sum + one.capacity, 0)
            const busiest = [...up].sort((a, b) => b.attempts / b.capacity - a.attempts / a.capacity)[0]
            const jobs = services.data?.items.find((one) => one.service === name)?.jobs
            const waits = waiting.get(name)
            const facts = [
              jobs !== undefined && say(words.jobs, { n: jobs }),
              up.length > 1 &&
                busiest &&
                busiest.attempts > 0 &&
                say(words.busiest, { name: busiest.name, used: busiest.attempts, all: busiest.capacity }),
            ].filter(Boolean)
            return (
              <div className="lane x" key={name}>
                <Go className="b cut" to={`/executors?service=${encodeURIComponent(name)}`}>
                  {name}
                </Go>
                <span className="grey">{up.length > 0 ? say(words.up, { n: up.length }) : words.none}</span>
                {up.length > 0 ? (
                  <Gauge used={used} of={all}>
                    {`${f.n(used)} / ${f.n(all)}`}
                  </Gauge>
                ) : (
                  <span className="wait cut">
                    {waits === undefined ? words.lonely : say(words.waits, { n: waits })}
                  </span>
                )}
                <span className="grey hide-s cut fact">{facts.join(' · ')}</span>
              </div>
            )
          })}
        </div>
      )}
    </Section>
  )
}
