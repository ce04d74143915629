import type { ReactNode } from 'react'
import { Go } from './Go'
import { Skeleton } from './parts'

const W = 150
const H = 28

/** The path of a line without axis; a gap where a value is missing. */
export function sparkPath(values: readonly (number | null)[], width = W, height = H, pad = 3): string {
  const there = values.filter((value) => value !== null)
  if (there.length < 2) return ''
  const low = Math.min(...there)
  const high = Math.max(...there)
  const span = high - low || 1
  let pen = 'M'
  let path = ''
  values.forEach((value, index) => {
    if (value === null) {
      pen = 'M'
      return
    }
    const x = (index / (values.length - 1)) * width
    const y = high === low ? height - pad : height - pad - ((value - low) / span) * (height - 2 * pad)
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`
    pen = 'L'
  })
  return path
}

/** A line that shows how a figure moved. */
export function Spark({ values }: { values: readonly (number | null)[] }) {
  return (
    <svg className="spark" viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={sparkPath(values)} />
    </svg>
  )
}

/** A figure with its name, one comparison, and a line. The whole cell opens what it counts. */
export function Metric({
  name,
  value,
  unit,
  note,
  values,
  to,
  loading,
}: {
  name: ReactNode
  value: ReactNode
  unit?: string
  note?: ReactNode
  values?: readonly (number | null)[]
  /** A path of the console with its search. */
  to?: string
  loading?: boolean
}) {
  const inside = (
    <>
      <span className="k">
        {name}
        {note !== undefined && <small>{note}</small>}
      </span>
      <span className="v">
        {loading ? <Skeleton width={56} height={20} /> : value}
        {unit && !loading && <small>{unit}</small>}
      </span>
      {values ? <Spark values={values} /> : <span />}
    </>
  )
  return to ? (
    <Go className="metric" to={to}>
      {inside}
    </Go>
  ) : (
    <div className="metric">{inside}</div>
  )
}
