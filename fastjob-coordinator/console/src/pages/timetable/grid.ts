/** Fires as a grid: one row per job, one column per hour or quarter of a day. */
import type { FireView } from '../../api/types'

export interface Row {
  service: string
  job: string
  zone: string | undefined
  /** Fires by column. */
  cells: number[]
  total: number
  /** There are more than were listed. */
  more: boolean
}

export interface Grid {
  rows: Row[]
  /** Fires of all jobs by column. */
  all: number[]
  /** The most fires of one column of one job. */
  most: number
  mostOfAll: number
}

export function gridOf(fires: readonly FireView[], from: number, step: number, columns: number): Grid {
  const rows = new Map<string, Row>()
  const all = new Array<number>(columns).fill(0)
  for (const fire of fires) {
    const column = Math.floor((Date.parse(fire.at) - from) / step)
    if (column < 0 || column >= columns) continue
    const key = `${fire.service}.${fire.job}`
    let row = rows.get(key)
    if (!row) {
      row = {
        service: fire.service,
        job: fire.job,
        zone: fire.zone,
        cells: new Array<number>(columns).fill(0),
        total: 0,
        more: false,
      }
      rows.set(key, row)
    }
    row.cells[column] = (row.cells[column] ?? 0) + 1
    row.total += 1
    row.more ||= fire.more === true
    all[column] = (all[column] ?? 0) + 1
  }
  const sorted = [...rows.values()].sort(
    (a, b) => a.service.localeCompare(b.service) || a.job.localeCompare(b.job),
  )
  const most = Math.max(1, ...sorted.map((row) => Math.max(...row.cells)))
  return { rows: sorted, all, most, mostOfAll: Math.max(1, ...all) }
}

/** How dark a cell is: four steps by the logarithm, so that one fire is seen beside hundreds. */
export function heat(count: number, most: number): 0 | 1 | 2 | 3 | 4 {
  if (count === 0) return 0
  if (most <= 1) return 2
  const share = Math.log(count + 1) / Math.log(most + 1)
  return share > 0.85 ? 4 : share > 0.6 ? 3 : share > 0.35 ? 2 : 1
}
