import { useI18n } from '../../i18n'
import { Icon, Message } from '../../ui'
import { controlOf, idOf } from './context'
import type { Told } from './useChecks'

/** Everything that has to be fixed, each with a link to its field. */
export function ProblemList({ problems }: { problems: Told[] }) {
  const { t, say } = useI18n()
  const labels = useLabels()
  return (
    <div className="err ed-problems" role="alert">
      <Icon name="s-bad" className="bad" />
      <div>
        <h2>{say(t.editor.problemsTitle, { n: problems.length })}</h2>
        <ul className="fields">
          {problems.map(({ field, message }) => (
            <li key={field + message}>
              {field && (
                <a
                  href={`#${idOf(field)}`}
                  data-tip={field}
                  onClick={(event) => {
                    event.preventDefault()
                    controlOf(field)?.focus()
                  }}
                >
                  {labels[rootOf(field)] ?? field}
                </a>
              )}{' '}
              <Message text={message} />
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}

/** The path of a field without the places in its lists. */
const rootOf = (field: string) => field.replace(/\[.*$/, '')

/** What the form calls the fields of a definition. */
function useLabels(): Record<string, string> {
  const { fields } = useI18n().t.editor
  return {
    ...fields,
    schedule: fields.kind,
    'schedule.cron': fields.cron,
    'schedule.zone': fields.zone,
    'schedule.fixed_rate': fields.fixedRate,
    'schedule.fixed_delay': fields.fixedDelay,
    'schedule.once': fields.once,
    start_at: fields.startAt,
    end_at: fields.endAt,
    'exclude.days': fields.exclude,
    'exclude.hours': fields.exclude,
    'misfire.fire_all.max': fields.fireAllMax,
    'misfire.fire_all.window': fields.fireAllWindow,
    'route.specific': fields.executor,
    'shard.dynamic': fields.shardFilter,
    'shard.count': fields.shardCount,
    'block.scope': fields.blockScope,
    'block.max_waiting': fields.maxWaiting,
    'block.max_running': fields.maxRunning,
    'retry.count': fields.retryCount,
    'retry.delay': fields.retryDelay,
    'retry.factor': fields.retryFactor,
    'retry.max_delay': fields.retryMaxDelay,
    'retry.jitter': fields.retryJitter,
    no_executor: fields.noExecutor,
    'alarm_when.runs_longer': fields.runsLonger,
    'alarm_when.starts_later': fields.startsLater,
  }
}
