import { type PointerEvent, useRef, useState } from 'react'
import { useI18n } from '../i18n'
import { stepPath, ticks } from './chartScale'

export interface Bucket {
  at: number
  failed: number
  succeeded: number
}

const WIDTH = 960

/** Tasks over time: failed above on a scale of their own, succeeded below as a step. A click opens a bucket,
 * a drag opens a range; both are also two plain links elsewhere on the page, so the chart is an image. */
export function Chart({
  buckets,
  step,
  labels,
  onPick,
}: {
  buckets: readonly Bucket[]
  /** Milliseconds of a bucket. */
  step: number
  labels: { failed: string; succeeded: string; most: string; now: string; tip: string; describe: string }
  onPick?: (from: number, until: number, failed: boolean) => void
}) {
  const { f, say } = useI18n()
  const [drag, setDrag] = useState<readonly [number, number] | null>(null)
  const [hover, setHover] = useState<number | null>(null)
  const pressed = useRef<number | null>(null)
  const first = buckets[0]?.at ?? 0
  const from = first
  const until = first + step * buckets.length
  const mostFailed = Math.max(0, ...buckets.map((one) => one.failed))
  const mostSucceeded = Math.max(0, ...buckets.map((one) => one.succeeded))
  const lines = buckets.length > 0 ? ticks(from, until, f) : []
  const w = WIDTH / Math.max(1, buckets.length)
  const bars = buckets
    .map((one, index) => {
      if (one.failed === 0) return ''
      const height = Math.max(3, Math.round((one.failed / mostFailed) * 40))
      const x = index * w + w * 0.2
      return `M${x.toFixed(1)} ${40 - height}h${(w * 0.6).toFixed(1)}V40h-${(w * 0.6).toFixed(1)}z`
    })
    .join('')
  const line = stepPath(
    buckets.map((one) => (mostSucceeded > 0 ? one.succeeded / mostSucceeded : 0)),
    WIDTH,
    88,
  )
  const indexAt = (event: PointerEvent<Element>) => {
    const box = event.currentTarget.getBoundingClientRect()
    const index = Math.floor(((event.clientX - box.left) / box.width) * buckets.length)
    return Math.min(buckets.length - 1, Math.max(0, index))
  }
  const finish = (event: PointerEvent<Element>, failed: boolean) => {
    const start = pressed.current
    pressed.current = null
    setDrag(null)
    if (start === null || !onPick) return
    const end = indexAt(event)
    const [low, high] = start < end ? [start, end] : [end, start]
    const one = buckets[low]
    if (one) onPick(one.at, (buckets[high]?.at ?? one.at) + step, failed && low === high)
  }
  const handlers = (failed: boolean) => ({
    onPointerDown: (event: PointerEvent<Element>) => {
      if (event.button !== 0) return
      pressed.current = indexAt(event)
      event.currentTarget.setPointerCapture(event.pointerId)
    },
    onPointerMove: (event: PointerEvent<Element>) => {
      const index = indexAt(event)
      setHover(index)
      if (pressed.current !== null && pressed.current !== index) setDrag([pressed.current, index])
    },
    onPointerUp: (event: PointerEvent<Element>) => finish(event, failed),
    onPointerLeave: () => setHover(null),
  })
  const grid = lines.map((tick) => (
    <line key={tick.at} x1={`${tick.at}%`} x2={`${tick.at}%`} y1="0" y2="100%" />
  ))
  const shade = (() => {
    const range = drag ?? (hover === null ? null : ([hover, hover] as const))
    if (!range) return null
    const [low, high] = range[0] < range[1] ? range : [range[1], range[0]]
    return (
      <rect
        className="pick"
        x={`${(low / buckets.length) * 100}%`}
        width={`${((high - low + 1) / buckets.length) * 100}%`}
        height="100%"
      />
    )
  })()
  const hovered = hover === null ? undefined : buckets[hover]
  return (
    <div className={onPick ? 'chart picks' : 'chart'}>
      <div className="y">
        <span className="hi">{labels.failed}</span>
        <span className="lo">{say(labels.most, { n: mostFailed })}</span>
      </div>
      <svg height="40" role="img" aria-label={`${labels.failed}. ${labels.describe}`} {...handlers(true)}>
        <rect width="100%" height="100%" fill="transparent" />
        {shade}
        {grid}
        <svg aria-hidden="true" viewBox={`0 0 ${WIDTH} 40`} height="40" preserveAspectRatio="none">
          <path className="f" d={bars} />
        </svg>
        <line className="base" x1="0" x2="100%" y1="40" y2="40" />
      </svg>
      <div className="y gap">
        <span className="hi">{labels.succeeded}</span>
        <span className="lo">{say(labels.most, { n: mostSucceeded })}</span>
      </div>
      <svg height="88" className="gap" role="img" aria-label={labels.succeeded} {...handlers(false)}>
        <rect width="100%" height="100%" fill="transparent" />
        {shade}
        {grid}
        <svg aria-hidden="true" viewBox={`0 0 ${WIDTH} 88`} height="88" preserveAspectRatio="none">
          {line && <path className="a" d={`${line}V90H0Z`} />}
          <path className="al" d={line} />
        </svg>
        <line className="base" x1="0" x2="100%" y1="88" y2="88" />
      </svg>
      <div />
      <div className="axis">
        {hovered ? (
          <span className="read" style={{ left: `${(((hover ?? 0) + 0.5) / buckets.length) * 100}%` }}>
            {say(labels.tip, {
              at: f.near(hovered.at),
              failed: hovered.failed,
              succeeded: hovered.succeeded,
            })}
          </span>
        ) : (
          <>
            {lines
              .filter((tick) => tick.at > 2 && tick.at < 95)
              .map((tick) => (
                <span key={tick.at} className={tick.minor ? 'h' : undefined} style={{ left: `${tick.at}%` }}>
                  {tick.label}
                </span>
              ))}
            <span className="e" style={{ left: '100%' }}>
              {labels.now}
            </span>
          </>
        )}
      </div>
    </div>
  )
}
