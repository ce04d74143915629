import { useI18n } from '../i18n'
import { useStateWord } from './Status'

export interface StripEntry {
  task: number
  state: string
  started_at: string | null
  ended_at: string | null
}

/** The last outcomes, newest right. Height is the duration against the longest; failed is red and has a foot,
 * open is an outline, stopped has a notch, skipped is a dash. `ends` are newest first, as the API sends them. */
export function Strip({
  ends,
  count = 20,
  onOpen,
}: {
  ends: StripEntry[]
  count?: number
  onOpen?: (task: number) => void
}) {
  const { t, f, say } = useI18n()
  const word = useStateWord()
  const shown = ends.slice(0, count).reverse()
  const took = (end: StripEntry) =>
    end.started_at ? Date.parse(end.ended_at ?? new Date().toISOString()) - Date.parse(end.started_at) : 0
  const longest = Math.max(1, ...shown.map(took))
  const failed = shown.filter((end) => end.state === 'failed').length
  const offset = count - shown.length
  const width = count * 6 - 2
  return (
    <svg
      className="strip"
      style={{ width }}
      viewBox={`0 0 ${width} 24`}
      role="img"
      aria-label={`${say(t.strip.last, { n: shown.length })}: ${say(t.strip.failed, { n: failed })}`}
    >
      {shown.map((end, index) => {
        const x = (offset + index) * 6 + 1
        const height = Math.max(3, Math.round((took(end) / longest) * 16))
        const tip = say(t.strip.bar, {
          state: word(end.state),
          for: f.duration(took(end)),
          at: f.near(end.ended_at ?? end.started_at ?? Date.now()),
        })
        return (
          <g
            key={end.task}
            data-tip={tip}
            {...(onOpen && {
              className: 'hit',
              onClick: (event: { stopPropagation: () => void }) => {
                event.stopPropagation()
                onOpen(end.task)
              },
            })}
          >
            <rect x={x - 1.5} y={0} width={6} height={24} fill="transparent" />
            <path {...bar(end.state, x, height)} />
          </g>
        )
      })}
    </svg>
  )
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
