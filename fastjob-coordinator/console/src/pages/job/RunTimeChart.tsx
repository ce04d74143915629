/** Run times of a job over time: the median as a line, 95 % as an area behind it. */
import type { StatsBucket } from '../../api/types'
import { useI18n } from '../../i18n'

const W = 960
const H = 88

export function RunTimeChart({ buckets, label }: { buckets: readonly StatsBucket[]; label: string }) {
  const { t, f } = useI18n()
  const most = Math.max(1, ...buckets.map((one) => one.run_time?.p95_ms ?? 0))
  const w = W / Math.max(1, buckets.length)
  const y = (ms: number) => H - 4 - (ms / most) * (H - 12)
  const bars = buckets
    .map((one, index) => {
      if (!one.run_time) return ''
      const top = y(one.run_time.p95_ms)
      return `M${(index * w + w * 0.15).toFixed(1)} ${top.toFixed(1)}h${(w * 0.7).toFixed(1)}V${H}h-${(w * 0.7).toFixed(1)}z`
    })
    .join('')
  let pen = 'M'
  const line = buckets
    .map((one, index) => {
      if (!one.run_time) {
        pen = 'M'
        return ''
      }
      const part = `${pen}${(index * w).toFixed(1)} ${y(one.run_time.p50_ms).toFixed(1)}h${w.toFixed(1)}`
      pen = 'L'
      return part
    })
    .join('')
  const first = buckets[0]
  return (
    <div className="chart">
      <div className="y">
        <span className="hi">{f.duration(most)}</span>
        <span className="lo">0</span>
      </div>
      <svg height={H} role="img" aria-label={label}>
        <svg viewBox={`0 0 ${W} ${H}`} height={H} preserveAspectRatio="none" aria-hidden="true">
          <path className="p95" d={bars} />
          <path className="al ink" d={line} />
        </svg>
        <line className="base" x1="0" x2="100%" y1={H} y2={H} />
      </svg>
      <div />
      <div className="axis">
        {first && <span className="s0">{f.near(first.at)}</span>}
        {first && (
          <span className="e" style={{ left: '100%' }}>
            {t.time.now}
          </span>
        )}
      </div>
    </div>
  )
}
