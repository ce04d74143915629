/** Which jobs fire when: a row per job, an hour per column, darker where there are more fires. */
import { useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useSchedule } from '../../api/queries'
import { useI18n } from '../../i18n'
import {
  Button,
  cx,
  Empty,
  ErrorCard,
  Go,
  PageHead,
  paths,
  Seg,
  Skeleton,
  useNow,
  usePatchSearch,
} from '../../ui'
import { type Grid, gridOf, heat } from './grid'
import './timetable.css'

const HOUR = 3_600_000
const RANGES = { day: { columns: 24, step: HOUR }, week: { columns: 28, step: 6 * HOUR } } as const
/** Fires of each job and of all that are read. */
const PER_JOB = 1_000
const LIMIT = 10_000

export default function TimetablePage() {
  const { t, f, say } = useI18n()
  const { range = 'day', from: text, service } = useSearch({ from: '/timetable' })
  const patch = usePatchSearch()
  const now = useNow()
  const { columns, step } = RANGES[range]
  const length = columns * step
  const from = text && !Number.isNaN(Date.parse(text)) ? Date.parse(text) : beginOf(range, now)
  const fires = useSchedule({
    from: new Date(from).toISOString(),
    until: new Date(from + length).toISOString(),
    ...(service && { service }),
    per_job: PER_JOB,
    limit: LIMIT,
  })
  const items = fires.data?.items
  const grid = useMemo(
    () => (items ? gridOf(items, from, step, columns) : null),
    [items, from, step, columns],
  )
  const move = (by: number) => patch({ from: new Date(from + by * length).toISOString() })
  return (
    <>
      <PageHead title={t.timetable.title} sub={t.timetable.sub}>
        <Seg
          label={t.timetable.range.label}
          value={range}
          onChange={(value) => patch({ range: value === 'day' ? undefined : value, from: undefined })}
          options={[
            { value: 'day', label: t.timetable.range.day },
            { value: 'week', label: t.timetable.range.week },
          ]}
        />
        <span className="group">
          <Button icon="left" label={t.timetable.previous} onClick={() => move(-1)} />
          <Button onClick={() => patch({ from: undefined })}>{t.timetable.now}</Button>
          <Button icon="right" label={t.timetable.next} onClick={() => move(1)} />
        </span>
      </PageHead>
      <p className="lead grey">
        {f.day(from)} {f.minute(from)} – {f.day(from + length)} {f.minute(from + length)}
      </p>
      {fires.error && !fires.data ? (
        <section className="sec">
          <ErrorCard error={fires.error} retry={() => void fires.refetch()} />
        </section>
      ) : !grid ? (
        <section className="sec">
          <Skeleton width="100%" height={200} />
        </section>
      ) : grid.rows.length === 0 ? (
        <Empty icon="cal" title={t.timetable.none.title}>
          {t.timetable.none.detail}
        </Empty>
      ) : (
        <>
          {fires.data?.cut_at && <p className="note-line wait">{t.timetable.cut}</p>}
          <Heat grid={grid} from={from} step={step} now={now} week={range === 'week'} />
          <p className="heat-key grey small">
            {t.timetable.few}
            {[1, 2, 3, 4].map((level) => (
              <i key={level} className={`h${level}`} />
            ))}
            {t.timetable.many} · {busiest()}
          </p>
        </>
      )}
    </>
  )

  function busiest(): string {
    if (!grid) return ''
    const at = grid.all.indexOf(grid.mostOfAll)
    return say(t.timetable.busiest, { at: f.near(from + Math.max(0, at) * step), n: grid.mostOfAll })
  }
}

/** The hour that has begun, or the day. */
function beginOf(range: 'day' | 'week', now: number): number {
  if (range === 'day') return Math.floor(now / HOUR) * HOUR
  const day = new Date(now)
  day.setHours(0, 0, 0, 0)
  return day.getTime()
}

interface HeatProps {
  grid: Grid
  from: number
  step: number
  now: number
  week: boolean
}

function Heat({ grid, from, step, now, week }: HeatProps) {
  const { t, f, say } = useI18n()
  const heads = grid.all.map((_, column) => from + column * step)
  const label = (at: number) => {
    const hour = new Date(at)
    if (week) return hour.getHours() < 6 ? f.weekday(at) : ''
    return hour.getHours() % 3 === 0 ? f.minute(at) : ''
  }
  const current = Math.floor((now - from) / step)
  const cells = (counts: readonly number[], most: number, more: boolean) =>
    counts.map((count, column) => {
      const at = heads[column] ?? from
      return (
        <td
          key={at}
          className={cx(`h${heat(count, most)}`, column === current && 'now')}
          data-tip={count > 0 ? say(t.timetable.cell, { n: count, at: f.near(at) }) : undefined}
        >
          {count > 0 && <span className="sr">{`${f.near(at)}: ${f.n(count)}${more ? '+' : ''}`}</span>}
        </td>
      )
    })
  return (
    <div className="heat-box">
      <table className="heat" aria-label={t.timetable.title}>
        <thead>
          <tr>
            <th scope="col">{t.timetable.job}</th>
            {heads.map((at) => (
              <th key={at} scope="col">
                <span aria-hidden="true">{label(at)}</span>
                <span className="sr">{f.near(at)}</span>
              </th>
            ))}
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          <tr className="all">
            <th scope="row">{t.timetable.all}</th>
            {cells(grid.all, grid.mostOfAll, false)}
            <td className="num">{f.n(grid.all.reduce((a, b) => a + b, 0))}</td>
          </tr>
          {grid.rows.map((row) => (
            <tr key={`${row.service}.${row.job}`}>
              <th scope="row">
                <Go to={paths.job(row.job, row.service)}>{row.job}</Go>{' '}
                <span className="grey">{row.service}</span>
              </th>
              {cells(row.cells, grid.most, row.more)}
              <td className="num">{`${f.n(row.total)}${row.more ? '+' : ''}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
