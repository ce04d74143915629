import { useMemo, useState } from 'react'
import { useI18n } from '../i18n'
import { useStateWord } from './Status'

export interface StripEntry {
  task: number
  state: string
  started_at: string | null
  ended_at: string | null
}

const STEP = 6

/** The last outcomes, newest right. Height is the duration against the longest; failed is red and has a foot,
 * open is an outline, stopped has a notch, skipped is a dash. `ends` are newest first, as the API sends them.
 * A path for each look, and an element for each outcome only under the pointer: a list has a thousand of them. */
export function Strip({
  ends,
  count = 20,
  onOpen,
}: {
  ends: StripEntry[]
  count?: number
  onOpen?: (task: number) => void
}) {
  const { t, say } = useI18n()
  const [over, setOver] = useState(false)
  const shown = useMemo(() => ends.slice(0, count).reverse(), [ends, count])
  const paths = useMemo(() => pathsOf(shown, count), [shown, count])
  const failed = shown.filter((end) => end.state === 'failed').length
  const width = count * STEP - 2
  return (
    <svg
      className="strip"
      style={{ width }}
      viewBox={`0 0 ${width} 24`}
      role="img"
      aria-label={`${say(t.strip.last, { n: shown.length })}: ${say(t.strip.failed, { n: failed })}`}
      onPointerEnter={() => setOver(true)}
      onPointerLeave={() => setOver(false)}
    >
      {paths.map(([look, d]) => (
        <path key={look} className={look} d={d} />
      ))}
      {over && <Places shown={shown} count={count} onOpen={onOpen} />}
    </svg>
  )
}

/** Where each outcome says what it was, and opens its task. */
function Places({
  shown,
  count,
  onOpen,
}: {
  shown: readonly StripEntry[]
  count: number
  onOpen: ((task: number) => void) | undefined
}) {
  const { t, f, say } = useI18n()
  const word = useStateWord()
  return shown.map((end, index) => (
    <rect
      key={end.task}
      x={(count - shown.length + index) * STEP - 0.5}
      width={STEP}
      height={24}
      fill="transparent"
      data-tip={say(t.strip.bar, {
        state: word(end.state),
        for: f.duration(took(end)),
        at: f.near(end.ended_at ?? end.started_at ?? Date.now()),
      })}
      {...(onOpen && {
        className: 'hit',
        onClick: (event: { stopPropagation: () => void }) => {
          event.stopPropagation()
          onOpen(end.task)
        },
      })}
    />
  ))
}

const took = (end: StripEntry) =>
  end.started_at ? (end.ended_at ? Date.parse(end.ended_at) : Date.now()) - Date.parse(end.started_at) : 0

/** One path for each look. */
function pathsOf(shown: readonly StripEntry[], count: number): [look: string, d: string][] {
  const durations = shown.map(took)
  const longest = Math.max(1, ...durations)
  const paths = new Map<string, string>()
  shown.forEach((end, index) => {
    const x = (count - shown.length + index) * STEP + 1
    const height = Math.max(3, Math.round(((durations[index] ?? 0) / longest) * 16))
    const { className, d } = bar(end.state, x, height)
    paths.set(className, (paths.get(className) ?? '') + d)
  })
  return [...paths]
}

function bar(state: string, x: number, height: number): { className: string; d: string } {
  const top = 19 - height
  if (state === 'failed') return { className: 'f', d: `M${x} ${top}h3v${height}h-3zM${x} 21h3v3h-3z` }
  if (state === 'running' || state === 'stopping') {
    return { className: 'r', d: `M${x + 0.5} ${top + 0.5}h2v${height - 1}h-2z` }
  }
  if (state === 'queued') return { className: 'w', d: `M${x + 0.5} 14.5h2v4h-2z` }
  if (state === 'skipped') return { className: 'k', d: `M${x} 17h3v2h-3z` }
  if (state === 'stopped' && height > 5) {
    const cut = top + Math.round(height / 2) - 1
    return { className: 'a', d: `M${x} ${top}h3V${cut}h-3zM${x} ${cut + 2}h3V19h-3z` }
  }
  return { className: 'a', d: `M${x} ${top}h3v${height}h-3z` }
}
