import { Fragment, type MouseEvent, memo, type ReactNode, useCallback, useRef } from 'react'
import { useI18n } from '../i18n'
import { useKeys } from '../lib/keys'
import { Checkbox } from './Button'
import { cx } from './cx'
import { Icon } from './Icon'
import { Skeleton } from './parts'
import type { Selection } from './selection'
import { useLongPress } from './useLongPress'

/** Where rows have two lines, as in `responsive.css`. */
/** The class by which a column leaves a narrow page. */
const hides = (column: { className?: string }) => column.className?.match(/hide-\w/)?.[0]

const isPhone = () => matchMedia('(max-width: 900px)').matches

export interface Column<Row> {
  id: string
  head: ReactNode
  /** Pixels; one column without a width takes the rest. */
  width?: number
  /** `num` is right-aligned; `hide-m|n|l` leaves below 1240, 1400, 1600 px; `c-…` places it on a phone. */
  className?: string
  cell: (row: Row) => ReactNode
  /** The heading sorts by this. */
  sort?: 'ascending' | 'descending' | 'none'
  onSort?: () => void
}

/** A table from edge to edge. `j` and `k` move between rows (by focusing the row's link, which carries
 * `data-row`), `x` selects, shift selects a range, Enter opens, Escape clears the selection. On a phone a row
 * is a grid of two lines: the page's CSS places the `c-…` cells. */
export function Table<Row, Key extends string | number>({
  columns,
  rows,
  rowKey,
  rowName,
  className,
  selection,
  loading,
  skeletons = 8,
  rowClass,
  group,
  label,
  onPeek,
}: {
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  rowKey: (row: Row) => Key
  /** What a row is called, for the checkbox. */
  rowName: (row: Row) => string
  /** `jobs two`, `tasks`, `execs`. */
  className?: string
  selection?: Selection<Key>
  loading?: boolean
  skeletons?: number
  rowClass?: (row: Row) => string | undefined
  /** A heading before a row, if it begins a group. */
  group?: (row: Row, before: Row | undefined) => ReactNode
  label: string
  /** Shows the whole of what the row with the focus has cut: `p` and the space bar. */
  onPeek?: (row: Row) => void
}) {
  const { t } = useI18n()
  const body = useRef<HTMLTableSectionElement>(null)
  const order = rows.map(rowKey)
  const leaving = columns.filter((column) => hides(column))

  const linkOf = (row: Element | undefined) =>
    row?.querySelector<HTMLElement>('[data-row]') ?? row?.querySelector('a')
  const move = (by: number) => {
    const list = [...(body.current?.querySelectorAll<HTMLElement>('tr[data-key]') ?? [])]
    const now = list.findIndex((row) => row.contains(document.activeElement))
    const next =
      list[now < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, now + by))]
    const link = linkOf(next)
    link?.focus({ preventScroll: true })
    next?.scrollIntoView({ block: 'nearest' })
  }
  const toggle = (range: boolean) => {
    const row = document.activeElement?.closest<HTMLElement>('tr[data-key]')
    const key = order[Number(row?.dataset.index ?? -1)]
    if (row && body.current?.contains(row) && key !== undefined) selection?.toggle(key, range, order)
  }
  const peek = () => {
    const row = document.activeElement?.closest<HTMLElement>('tr[data-key]')
    const found = rows[Number(row?.dataset.index ?? -1)]
    // The space bar presses a button, if one has the focus.
    if (!row || !found || !body.current?.contains(row) || linkOf(row) !== document.activeElement) return false
    onPeek?.(found)
    return true
  }
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ...(onPeek && { p: peek, ' ': peek }),
    ...(selection && {
      x: () => toggle(false),
      X: () => toggle(true),
      ...(selection.size > 0 && { Escape: () => selection.clear() }),
    }),
  })

  // The same function for the life of the table, so that rows are rendered again only when they change.
  const latest = useRef({ selection, order })
  latest.current = { selection, order }
  const onToggle = useCallback((key: string | number, range: boolean) => {
    latest.current.selection?.toggle(key as Key, range, latest.current.order)
  }, [])

  const select = (index: number, range = false) => {
    const key = order[index]
    if (key !== undefined) selection?.toggle(key, range, order)
  }
  const long = useLongPress((index) => selection && select(index))
  /** While rows are picked on a phone, a tap anywhere on a row selects it. */
  const tap = (event: MouseEvent) => {
    if (!selection?.picking || !isPhone()) return
    const target = event.target as Element
    const row = target.closest<HTMLElement>('tr[data-key]')
    if (!row || target.closest('.box, .sw')) return
    event.preventDefault()
    event.stopPropagation()
    select(Number(row.dataset.index ?? -1))
  }

  const chosen = order.filter((key) => selection?.has(key)).length
  const heads = columns.map((column) => (
    <th
      key={column.id}
      scope="col"
      className={column.className}
      aria-sort={column.sort && column.sort !== 'none' ? column.sort : undefined}
    >
      {column.onSort ? (
        <button type="button" className="sorter" onClick={column.onSort}>
          {column.head}
          {column.sort && column.sort !== 'none' && (
            <Icon name={column.sort === 'ascending' ? 'up' : 'down'} />
          )}
        </button>
      ) : (
        column.head
      )}
    </th>
  ))
  return (
    <table
      className={cx('rows', selection?.picking && 'picking', className)}
      aria-label={label}
      aria-busy={loading || undefined}
    >
      <colgroup>
        {selection && <col style={{ width: 54 }} />}
        {columns.map((column) => (
          <col
            key={column.id}
            className={hides(column)}
            style={column.width ? { width: column.width } : undefined}
          />
        ))}
      </colgroup>
      <thead>
        <tr>
          {selection && (
            <th scope="col">
              <Checkbox
                label={t.table.selectAll}
                checked={chosen === 0 ? false : chosen === rows.length ? true : 'mixed'}
                onChange={(on) => (on ? selection.all(order) : selection.clear())}
              />
            </th>
          )}
          {heads}
        </tr>
      </thead>
      <tbody
        ref={body}
        {...(selection && {
          ...long,
          onClickCapture: (event: MouseEvent) => {
            long.onClickCapture(event)
            if (!event.isPropagationStopped()) tap(event)
          },
        })}
      >
        {loading && rows.length === 0
          ? Array.from({ length: skeletons }, (_, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: places without content.
              <tr key={index}>
                {selection && <td />}
                {columns.map((column, at) => (
                  <td key={column.id} className={column.className}>
                    <Skeleton width={`${[62, 48, 74, 55][(index + at) % 4]}%`} />
                  </td>
                ))}
              </tr>
            ))
          : rows.map((row, index) => {
              const key = order[index] as Key
              const heading = group?.(row, rows[index - 1])
              const selected = selection?.has(key) ?? false
              return (
                <Fragment key={key}>
                  {heading !== undefined && heading !== null && (
                    <tr className="shead">
                      <td colSpan={columns.length - leaving.length + (selection ? 1 : 0)}>{heading}</td>
                      {leaving.map((column) => (
                        <td key={column.id} className={hides(column)} />
                      ))}
                    </tr>
                  )}
                  <Line
                    row={row}
                    index={index}
                    rowKey={key}
                    name={selection ? rowName(row) : ''}
                    columns={columns}
                    selected={selected}
                    onToggle={selection ? onToggle : undefined}
                    className={rowClass?.(row)}
                  />
                </Fragment>
              )
            })}
      </tbody>
    </table>
  )
}

interface LineProps<Row> {
  row: Row
  index: number
  rowKey: string | number
  name: string
  columns: readonly Column<Row>[]
  selected: boolean
  onToggle: ((key: string | number, range: boolean) => void) | undefined
  className: string | undefined
}

/** A row. Pages keep their columns (`useMemo`) and queries keep rows that did not change, so most are skipped. */
const Line = memo(function Line<Row>(props: LineProps<Row>) {
  const { t, say } = useI18n()
  const { row, rowKey, columns, selected, onToggle } = props
  return (
    <tr
      data-key={rowKey}
      data-index={props.index}
      className={cx(selected && 'sel', props.className)}
      aria-selected={onToggle ? selected : undefined}
    >
      {onToggle && (
        <td className="c-box">
          <Checkbox
            label={say(t.table.selectRow, { name: props.name })}
            checked={selected}
            onChange={(_, shift) => onToggle(rowKey, shift)}
          />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.id} className={column.className}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  )
}) as <Row>(props: LineProps<Row>) => ReactNode
