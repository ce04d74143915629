/** Below a log: how much of it is shown, where it was read, and whether it goes on. */
import { useI18n } from '../../../i18n'
import { Message, useNow } from '../../../ui'
import type { LogFilter } from './filter'
import type { Log } from './useLog'

interface Props {
  log: Log
  filter: LogFilter
  executor: string | null
  growing: boolean
}

export function LogFoot({ log, filter, executor, growing }: Props) {
  const { t, f, say } = useI18n()
  const now = useNow(log.lostSince !== null)
  const words = t.task.log
  const { buffer, last } = log
  const lines = filter.isFiltering
    ? say(words.linesOf, { n: filter.length, of: buffer.length })
    : say(words.lines, { n: buffer.length })
  const facts = [buffer.length > 0 && lines]
  if (buffer.missing > 0) facts.push(say(words.missing, { n: buffer.missing }))
  if (last?.source === 'executor' && executor) facts.push(say(words.on, { executor }))
  if (last?.source === 'archive') facts.push(words.archive)
  if (last?.source === 'tail' && buffer.length > 0) facts.push(words.tail)
  const state =
    log.error !== null
      ? ''
      : log.lostSince !== null
        ? say(words.lost, { for: f.duration(Math.max(1000, now - log.lostSince)) })
        : last?.ended
          ? words.end
          : log.loading
            ? words.reading
            : growing
              ? words.runs
              : ''
  return (
    <div className="log-e">
      <span className="cut">{facts.filter(Boolean).join(' · ')}</span>
      {log.error && buffer.length > 0 && <Message className="bad" text={log.error.message} />}
      {last?.note && <Message className="wait" text={last.note} />}
      <span className="end nw" role={log.lostSince !== null ? 'alert' : undefined}>
        {state}
      </span>
    </div>
  )
}
