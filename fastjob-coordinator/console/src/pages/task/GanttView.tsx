/** Shards and attempts over time. Every bar says what it is in its tooltip, and the rows are read as a list. */
import { useState } from 'react'
import type { AttemptView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, StatusIcon, useMessage, useNow, useStateWord } from '../../ui'
import { type Scale, scale } from './gantt'
import { reasonKey, type Shard } from './shards'

const ROWS = 12

interface Props {
  shards: readonly Shard[]
  /** The task has several parts, so that rows are shards. */
  several: boolean
  open: boolean
  zone: string | undefined
  onPick: (shard: number, attempt: number) => void
}

export function GanttView({ shards, several, open, zone, onPick }: Props) {
  const { t, f, say } = useI18n()
  const [all, setAll] = useState(false)
  const now = useNow(open)
  const spans = shards.flatMap((shard) =>
    shard.attempts.flatMap((attempt) => {
      const from = Date.parse(attempt.started_at ?? attempt.due_at)
      const to = attempt.ended_at ? Date.parse(attempt.ended_at) : Math.max(now, from + 1)
      return attempt.started_at || !attempt.ended_at ? [{ from, to: Math.max(to, from + 1) }] : []
    }),
  )
  if (spans.length === 0) return null
  const axis = scale(spans)
  const shown = all ? shards : shards.slice(0, ROWS)
  const step = axis.ticks.length > 2 ? (axis.ticks[2]?.at ?? 0) - (axis.ticks[1]?.at ?? 0) : 1_000
  const tick = (at: number) =>
    step < 1_000
      ? `${f.clock(at, zone)}.${String(at % 1000).padStart(3, '0')}`
      : step < 60_000
        ? f.clock(at, zone)
        : f.minute(at, zone)
  return (
    <section className="sec gantt" aria-label={several ? t.task.gantt.shards : t.task.gantt.attempts}>
      <div className="g axis-r">
        <h2>{several ? t.task.gantt.shards : t.task.gantt.attempts}</h2>
        <div className="axis" aria-hidden="true">
          {apart(axis.ticks, tick(axis.ticks[0]?.at ?? 0).length).map((one, index) => (
            <span key={one.at} className={index === 0 ? 's0' : 'h'} style={{ left: `${one.x}%` }}>
              {tick(one.at)}
            </span>
          ))}
          {axis.folds.map((fold) => (
            <span key={fold.from} className="h" style={{ left: `${fold.x + fold.width / 2}%` }}>
              {say(t.task.gantt.idle, { for: f.coarse(fold.to - fold.from) })}
            </span>
          ))}
        </div>
        <span />
      </div>
      {shown.map((shard) => (
        <Row key={shard.no} shard={shard} several={several} axis={axis} now={now} onPick={onPick} />
      ))}
      {shards.length > shown.length && (
        <Button look="bare" small onClick={() => setAll(true)}>
          {say(t.task.gantt.all, { n: shards.length })}
        </Button>
      )}
    </section>
  )
}

/** The width of a character of a label, in percent of an axis that is not wide. */
const CHARACTER = 1.15
/** Between two labels. */
const GAP = 1.5

/** Ticks whose labels, of so many characters, do not lie over each other. */
function apart<Tick extends { x: number }>(ticks: readonly Tick[], characters: number): Tick[] {
  const width = characters * CHARACTER
  const kept: Tick[] = []
  for (const one of ticks) {
    const last = kept[kept.length - 1]
    // The label of the first tick begins at it; those of the others are centred.
    if (!last || one.x - last.x >= (kept.length === 1 ? 1.5 * width : width) + GAP) kept.push(one)
  }
  return kept
}

interface RowProps {
  shard: Shard
  several: boolean
  axis: Scale
  now: number
  onPick: Props['onPick']
}

function Row({ shard, several, axis, now, onPick }: RowProps) {
  const { t, f, say } = useI18n()
  const word = useStateWord()
  const attempts = say(t.task.gantt.count, { n: shard.attempts.length })
  const name = several ? say(t.task.gantt.shard, { shard: String(shard.no) }) : word(shard.last.state)
  const first = shard.attempts.find((attempt) => attempt.started_at)
  const end = shard.last.ended_at ? Date.parse(shard.last.ended_at) : now
  const took = first?.started_at ? f.duration(end - Date.parse(first.started_at)) : '–'
  return (
    <div className="g">
      <span className="who">
        <StatusIcon state={shard.last.state} />
        <span className="nw">{name}</span>
        <span className="grey hide-s nw">{attempts}</span>
      </span>
      <span className="track">
        <svg
          role="img"
          aria-label={say(t.task.gantt.label, { name, attempts, state: word(shard.last.state) })}
        >
          {axis.folds.map((fold) => (
            <g key={fold.from}>
              <line className="foldl" x1={`${fold.x + 1.2}%`} x2={`${fold.x + 1.2}%`} y1="0" y2="32" />
              <line className="foldl" x1={`${fold.x + 3.8}%`} x2={`${fold.x + 3.8}%`} y1="0" y2="32" />
            </g>
          ))}
          {shard.attempts.map((attempt, index) => (
            <Bar
              key={attempt.id}
              attempt={attempt}
              before={shard.attempts[index - 1]}
              axis={axis}
              now={now}
              onPick={() => onPick(shard.no, attempt.number)}
            />
          ))}
        </svg>
      </span>
      <span className="num nw">{took}</span>
    </div>
  )
}

interface BarProps {
  attempt: AttemptView
  before: AttemptView | undefined
  axis: Scale
  now: number
  onPick: () => void
}

function Bar({ attempt, before, axis, now, onPick }: BarProps) {
  const { t, f, say } = useI18n()
  const word = useStateWord()
  const waitFrom = before?.ended_at ? axis.x(Date.parse(before.ended_at)) : null
  const said = useMessage()
  const begin = attempt.started_at ? Date.parse(attempt.started_at) : null
  const end = attempt.ended_at ? Date.parse(attempt.ended_at) : now
  const executor = attempt.executor ?? ''
  const wait =
    waitFrom !== null ? (
      <line className="w" x1={`${waitFrom}%`} x2={`${axis.x(begin ?? end)}%`} y1="16" y2="16" />
    ) : null
  if (begin === null) return wait
  const x = axis.x(begin)
  const width = Math.max(0.35, axis.x(end) - x)
  const lost = reasonKey(attempt.reason) === 'executor_lost'
  const failed = attempt.state === 'failed'
  const tip = say(t.task.gantt.bar, {
    number: String(attempt.number),
    executor,
    state: word(attempt.state),
    for: f.duration(end - begin),
  })
  const label = lost ? say(t.task.gantt.lost, { executor }) : executor
  // A name that does not fit is in the tooltip: 100 % are about 700 px.
  const fits = width * 7 > label.length * 6.5 + 12
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the track is an image; attempts are buttons in their tab
    <g
      data-tip={attempt.message ? `${tip}\n${said(attempt.message).text.slice(0, 300)}` : tip}
      onClick={onPick}
      className="hit"
    >
      {wait}
      <rect
        className={lost ? 'x' : failed ? 'f' : attempt.state === 'running' ? 'r' : 'a'}
        x={`${x}%`}
        width={`${width}%`}
        y="7.5"
        height="17"
        rx="3"
      />
      {fits && (
        <text className={lost ? 'dim' : failed ? 'inv' : undefined} x={`${x}%`} dx="7" y="20">
          {label}
        </text>
      )}
    </g>
  )
}
