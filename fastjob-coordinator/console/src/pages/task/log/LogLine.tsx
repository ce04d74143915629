/** One line of a log: text only, whatever it holds. */
import { type CSSProperties, memo, type Ref, useState } from 'react'
import { useI18n } from '../../../i18n'
import { cx } from '../../../ui'
import { plain, type Run, runs } from './ansi'
import type { Line } from './lines'
import type { Matcher, Range } from './search'

/** Characters of a line that are drawn before somebody asks for all. */
const CUT = 4_000

interface Props {
  line: Line
  find: Matcher | null
  /** Times are shown since this instant instead of by the clock. */
  since: number | null
  zone: string | undefined
  marked: boolean
  style: CSSProperties
  index: number
  onLink: (no: number) => void
  ref?: Ref<HTMLDivElement>
}

export const LogLine = memo(function LogLine({
  line,
  find,
  since,
  zone,
  marked,
  style,
  index,
  onLink,
  ref,
}: Props) {
  const { t, f, say } = useI18n()
  const [whole, setWhole] = useState(false)
  // A line of a megabyte takes a second to lay out; few people read it.
  const text = whole || line.text.length <= CUT + CUT / 4 ? line.text : line.text.slice(0, CUT)
  const time =
    line.at === null
      ? ''
      : since === null
        ? `${f.clock(line.at, zone)}.${String(line.at % 1000).padStart(3, '0')}`
        : `+${((line.at - since) / 1000).toFixed(3)}`
  return (
    <div ref={ref} data-index={index} className={cx('ln', line.level, marked && 'at')} style={style}>
      <span>
        <button
          type="button"
          className="ln-no"
          tabIndex={-1}
          aria-label={say(t.task.log.copyLink, { no: String(line.no) })}
          onClick={() => onLink(line.no)}
        >
          {line.no}
        </button>
      </span>
      <span>{time}</span>
      <span>{line.level ?? ''}</span>
      <span>
        {marks(runs(text), find ? find(plain(text)) : [])}
        {text !== line.text && (
          <>
            …{' '}
            <button type="button" className="link" onClick={() => setWhole(true)}>
              {say(t.task.log.showLine, { n: line.text.length })}
            </button>
          </>
        )}
      </span>
    </div>
  )
})

/** The runs of a line with its matches marked. */
function marks(parts: readonly Run[], ranges: readonly Range[]) {
  const nodes: React.ReactNode[] = []
  let from = 0
  for (const part of parts) {
    const to = from + part.text.length
    let at = from
    for (const range of ranges) {
      if (range.to <= at || range.from >= to) continue
      const start = Math.max(range.from, at)
      const end = Math.min(range.to, to)
      if (start > at) nodes.push(piece(part, at - from, start - from, false))
      nodes.push(piece(part, start - from, end - from, true))
      at = end
    }
    if (at < to) nodes.push(piece(part, at - from, to - from, false))
    from = to
  }
  return nodes

  function piece(part: Run, start: number, end: number, mark: boolean) {
    const text = part.text.slice(start, end)
    const key = nodes.length
    if (mark) {
      return (
        <mark key={key} className={part.className || undefined}>
          {text}
        </mark>
      )
    }
    return part.className ? (
      <span key={key} className={part.className}>
        {text}
      </span>
    ) : (
      text
    )
  }
}
