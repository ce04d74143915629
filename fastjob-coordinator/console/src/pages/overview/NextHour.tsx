import { useMemo } from 'react'
import { useSchedule } from '../../api/queries'
import { useI18n } from '../../i18n'
import { Go, ProblemNote, paths, Section, Skeleton, Time, useNow } from '../../ui'
import { ticks } from '../../ui/chartScale'
import { type Lane, lanesOf } from './fires'

const HOUR = 3_600_000
const LANES = 8

/** The fires of the next hour on a line, one per job. */
export function NextHour({ service }: { service: string | undefined }) {
  const { t, f, say } = useI18n()
  const words = t.overview.next
  const minute = useNow(true, 60_000)
  const { data, error, isPending, refetch } = useSchedule({
    from: new Date(minute).toISOString(),
    until: new Date(minute + HOUR).toISOString(),
    service,
    per_job: 130,
    limit: 2000,
  })
  const lanes = useMemo(
    () => (data ? lanesOf(data.items, Date.parse(data.from), Date.parse(data.from) + HOUR) : []),
    [data],
  )
  const from = data ? Date.parse(data.from) : minute
  const lines = ticks(from, from + HOUR, f).filter((tick) => tick.at > 4)
  const counted = lanes.some((lane) => lane.more) || data?.cut_at ? words.firesMore : words.fires
  const fires = lanes.reduce((sum, lane) => sum + lane.at.length, 0)
  return (
    <Section
      title={words.title}
      note={lanes.length > 0 && `${say(counted, { n: fires })} ${say(words.ofJobs, { n: lanes.length })}`}
      end={<Go to="/timetable">{t.nav.timetable}</Go>}
    >
      {isPending ? (
        <div className="lanes" aria-busy="true">
          {[90, 120, 70].map((width) => (
            <div className="lane" key={width}>
              <Skeleton width={width} />
            </div>
          ))}
        </div>
      ) : error && !data ? (
        <ProblemNote error={error} retry={refetch} />
      ) : lanes.length === 0 ? (
        <p className="grey">{words.none}</p>
      ) : (
        <div className="lanes">
          {lanes.slice(0, LANES).map((lane) => (
            <div className="lane" key={`${lane.service}.${lane.job}`}>
              <span className="cut">
                <Go to={paths.job(lane.job, lane.service)}>{lane.job}</Go>{' '}
                <span className="grey">{lane.service}</span>
              </span>
              <svg aria-hidden="true">
                {lines.map((tick) => (
                  <line key={tick.at} x1={`${tick.at}%`} x2={`${tick.at}%`} y1="0" y2="28" />
                ))}
                <Marks lane={lane} />
              </svg>
              <span className="grey num nw">
                {lane.every !== null && lane.at.length > 12 ? (
                  say(words.every, { for: f.duration(lane.every) })
                ) : (
                  <Upcoming times={lane.times} />
                )}
              </span>
            </div>
          ))}
          <div className="lane bare">
            <span className="grey small">
              {lanes.length > LANES && (
                <Go to="/timetable">{say(words.rest, { n: lanes.length - LANES })}</Go>
              )}
            </span>
            <div className="axis">
              <span className="s0" style={{ left: 0 }}>
                {t.time.now}
              </span>
              {lines
                .filter((tick) => tick.at > 8 && tick.at < 97)
                .map((tick) => (
                  <span
                    key={tick.at}
                    className={tick.minor ? 'h' : undefined}
                    style={{ left: `${tick.at}%` }}
                  >
                    {tick.label}
                  </span>
                ))}
            </div>
          </div>
        </div>
      )}
    </Section>
  )
}

/** When it fires next. */
function Upcoming({ times }: { times: readonly number[] }) {
  const now = useNow()
  const next = times.find((time) => time > now) ?? times.at(-1)
  return next === undefined ? null : <Time at={new Date(next).toISOString()} />
}

/** Few fires are dots, many are ticks, very many are a line. */
function Marks({ lane }: { lane: Lane }) {
  if (lane.at.length > 90 || lane.more) {
    const from = lane.at[0] ?? 0
    return <rect className="d2" x={`${from}%`} y="13.5" width={`${100 - from}%`} height="1" />
  }
  if (lane.at.length > 20) {
    return lane.at.map((at) => <rect key={at} className="d2" x={`${at}%`} y="12" width="2" height="4" />)
  }
  return lane.at.map((at) => <circle key={at} cx={`${at}%`} cy="14" r="3.5" />)
}
