/** The log of a task: follows while it grows, searches, filters, and draws only what is in view. */
import { useVirtualizer } from '@tanstack/react-virtual'
import { type CSSProperties, type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import type { ApiError } from '../../../api/client'
import { useI18n } from '../../../i18n'
import { local } from '../../../lib/store'
import { cx, Empty, Icon, ProblemNote, Skeleton, toast, useMessage } from '../../../ui'
import { plain } from './ansi'
import { downloadLog, saveFile } from './download'
import { LogFilter } from './filter'
import { LogFoot } from './LogFoot'
import { LogLine } from './LogLine'
import { type LogOptions, LogTools } from './LogTools'
import { matcher } from './search'
import { useFollow } from './useFollow'
import { type LogChoice, useLog } from './useLog'

const ROW = 20

interface Props {
  task: number
  choice: LogChoice
  /** The attempt runs or waits: its log may grow. */
  open: boolean
  /** The attempt failed: the end of its log is what is looked for. */
  failed: boolean
  startedAt: string | null
  executor: string | null
  zone: string | undefined
  /** A line to show, from the address. */
  line: number | undefined
  onLine: (line: number | undefined) => void
  /** Pickers of shard and attempt. */
  children?: ReactNode
}

export function LogPanel(props: Props) {
  const { task, choice, open, failed, line } = props
  const { t, say } = useI18n()
  const log = useLog(task, choice)
  const [options, setOptions] = useState<LogOptions>(() => ({
    query: '',
    regex: false,
    only: false,
    level: 'all',
    ...local.read('log', { wrap: true, relative: false }),
  }))
  const [match, setMatch] = useState(-1)
  const [full, setFull] = useState(false)
  const box = useRef<HTMLDivElement>(null)

  const change = (next: Partial<LogOptions>) => {
    const whole = { ...options, ...next }
    setOptions(whole)
    if (next.query !== undefined || next.regex !== undefined) setMatch(-1)
    local.write('log', { wrap: whole.wrap, relative: whole.relative })
  }
  const found = useMemo(() => matcher(options.query, options.regex), [options.query, options.regex])
  const find = typeof found === 'function' ? found : null
  const invalid = found !== null && typeof found !== 'function' ? found.invalid : null
  const filter = useMemo(
    () => new LogFilter(log.buffer, options.level, find, options.only),
    [log.buffer, options.level, find, options.only],
  )
  filter.update()

  const rows = useVirtualizer({
    count: filter.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 24,
    getItemKey: (place) => filter.at(place),
  })
  const toEnd = () => {
    if (filter.length > 0) rows.scrollToIndex(filter.length - 1, { align: 'end' })
  }
  const following = useFollow(box, filter.length, log.version, line === undefined && (open || failed), toEnd)

  const show = (no: number) => {
    following.setFollow(false)
    rows.scrollToIndex(Math.max(0, filter.placeOf(no)), { align: 'center' })
  }
  // A line of the address is shown when it has been read.
  const shownLine = useRef<number | undefined>(undefined)
  const there = line !== undefined && line <= log.buffer.missing + log.buffer.length
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each line of the address
  useEffect(() => {
    if (line === undefined || !there || shownLine.current === line) return
    shownLine.current = line
    show(line)
  }, [line, there])

  const step = (by: number) => {
    const all = filter.matches
    if (all.length === 0) return
    const next = match < 0 ? (by > 0 ? 0 : all.length - 1) : (match + by + all.length) % all.length
    setMatch(next)
    show(all[next] ?? 1)
  }
  const current = match >= 0 ? filter.matches[match] : undefined

  useEffect(() => {
    if (!full) return
    const leave = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented) setFull(false)
    }
    addEventListener('keydown', leave)
    return () => removeEventListener('keydown', leave)
  }, [full])

  const name = `task-${task}-${choice.shard}-${log.last?.number ?? choice.attempt ?? 1}.log`
  const growing = open && log.last?.ended !== true
  const since = options.relative && props.startedAt ? Date.parse(props.startedAt) : null
  return (
    <section className={cx('log', full && 'full')} aria-label={t.task.log.label}>
      <LogTools
        options={options}
        onChange={change}
        matches={filter.matches.length}
        match={match}
        invalid={invalid}
        onMatch={step}
        full={full}
        onFull={() => setFull(!full)}
        follow={following.follow}
        canFollow={growing}
        onFollow={() => following.setFollow(!following.follow)}
        filtered={filter.isFiltering}
        onDownload={() => downloadLog(task, choice, name).catch(toast.failed)}
        onDownloadShown={() => saveFile(name, [shownText(filter, log.buffer)])}
      >
        {props.children}
      </LogTools>
      <div
        className={cx('log-b', !options.wrap && 'nowrap')}
        style={{ '--log-h': `${rows.getTotalSize()}px` } as CSSProperties}
        ref={box}
        tabIndex={0}
        role="region"
        aria-label={t.task.log.label}
      >
        {log.buffer.length === 0 ? (
          <LogEmpty
            error={log.error}
            loading={log.loading}
            open={open}
            started={props.startedAt !== null}
            retry={log.reload}
          />
        ) : filter.length === 0 ? (
          <Empty icon="filter" title={t.task.log.filtered} />
        ) : (
          <div className="log-all" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => {
              const no = filter.at(row.index)
              return (
                <LogLine
                  key={row.key}
                  {...(options.wrap && { ref: rows.measureElement })}
                  index={row.index}
                  line={log.buffer.line(no - log.buffer.missing - 1)}
                  find={find}
                  since={since}
                  zone={props.zone}
                  marked={no === line || no === current}
                  style={{ transform: `translateY(${row.start}px)` }}
                  onLink={(to) => props.onLine(to === line ? undefined : to)}
                />
              )
            })}
          </div>
        )}
      </div>
      {following.unseen > 0 && growing && (
        <button type="button" className="pill log-new" onClick={() => following.setFollow(true)}>
          <Icon name="down" />
          {say(t.task.log.newLines, { n: following.unseen })}
        </button>
      )}
      <LogFoot
        log={log}
        filter={filter}
        executor={props.executor}
        growing={growing && props.startedAt !== null}
      />
    </section>
  )
}

function LogEmpty(props: {
  error: ApiError | null
  loading: boolean
  open: boolean
  started: boolean
  retry: () => void
}) {
  const { t } = useI18n()
  const said = useMessage()
  if (props.error) {
    // The coordinator says why there is no log, such as that the task has not started.
    return props.error.status === 404 || props.error.status === 409 ? (
      <Empty
        icon="log"
        title={props.open && !props.started ? t.task.log.notStarted : said(props.error.message).text}
      />
    ) : (
      <div className="log-note">
        <ProblemNote error={props.error} retry={props.retry} />
      </div>
    )
  }
  if (props.loading) {
    return (
      <div className="log-note" aria-busy="true">
        {[40, 64, 52].map((width) => (
          <div key={width}>
            <Skeleton width={`${width}%`} />
          </div>
        ))}
      </div>
    )
  }
  const { empty, emptyRunning, notStarted } = t.task.log
  return <Empty icon="log" title={props.open ? (props.started ? emptyRunning : notStarted) : empty} />
}

function shownText(filter: LogFilter, buffer: { missing: number; text: (index: number) => string }): string {
  const lines: string[] = []
  for (let place = 0; place < filter.length; place += 1) {
    lines.push(plain(buffer.text(filter.at(place) - buffer.missing - 1)))
  }
  return `${lines.join('\n')}\n`
}
