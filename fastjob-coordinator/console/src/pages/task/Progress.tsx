/** The progress that handlers report, while they run. */
import type { TaskView } from '../../api/types'
import { useI18n } from '../../i18n'

const BARS = 8

export function Progress({ task }: { task: TaskView }) {
  const { t, f, say } = useI18n()
  const running = task.attempts.filter((one) => one.progress && !one.ended_at).slice(0, BARS)
  if (running.length === 0) return null
  return (
    <section className="sec tight task-progress">
      {running.map((attempt) => {
        const { done, total, note } = attempt.progress ?? { done: 0, total: 0, note: '' }
        const share = total > 0 ? Math.min(1, done / total) : null
        const words = total > 0 ? say(t.task.progress, { done, total }) : f.n(done)
        const name =
          attempt.shards > 1 ? say(t.task.gantt.shard, { shard: String(attempt.shard) }) : undefined
        return (
          <div key={attempt.id} className="bar-row">
            {name && <span className="nw">{name}</span>}
            <progress {...(share !== null && { value: share })} max={1} aria-label={name ?? note ?? words} />
            <span className="num nw">{share !== null ? `${words} · ${f.percent(share, 0)}` : words}</span>
            {note && <span className="grey cut">{note}</span>}
          </div>
        )
      })}
    </section>
  )
}
