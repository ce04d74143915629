/** First what failed: the error as it came, on which attempt, and what was tried. */
import type { ReactNode } from 'react'
import type { TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Icon, Original, useMessage } from '../../ui'
import { isOpen, reasonKey, type Shard } from './shards'

interface Props {
  task: TaskView
  shards: readonly Shard[]
  onLog: (shard: number, attempt: number) => void
  actions?: ReactNode
}

export function FailCard({ task, shards, onLog, actions }: Props) {
  const { t, f, say } = useI18n()
  const words = t.task.failed
  const several = shards.length > 1
  const failed = shards.filter((shard) => shard.last.state === 'failed')
  // A retry that waits: the attempt before it failed.
  const retrying = isOpen(task.state)
    ? shards.find((shard) => shard.attempts.length > 1 && !shard.last.started_at && !shard.last.ended_at)
    : undefined
  if (task.state !== 'failed' && !retrying) return null
  const shard = retrying ?? failed[0] ?? shards[shards.length - 1]
  const attempt = retrying ? retrying.attempts[retrying.attempts.length - 2] : shard?.last
  if (!shard || !attempt) {
    return task.note ? <Card title={words.title} message={task.note} /> : null
  }
  const name = { shard: String(shard.no), n: shard.attempts.length }
  const title = retrying
    ? say(words.retrying, { number: String(attempt.number), at: f.clock(retrying.last.due_at) })
    : failed.length > 1
      ? say(words.shards, { failed: failed.length, of: shards.length })
      : several
        ? say(shard.attempts.length > 1 ? words.shardAttempts : words.shard, name)
        : shard.attempts.length > 1
          ? say(words.attempts, name)
          : words.title
  const why = (words.reasons as Record<string, string>)[reasonKey(attempt.reason)]
  const others = shards.filter((one) => one.last.state === 'succeeded').length
  const sentences = [
    why,
    !retrying &&
      several &&
      failed.length === 1 &&
      others === shards.length - 1 &&
      say(words.others, { n: others }),
    !retrying && shard.attempts.length > 1 && words.noRetries,
  ].filter(Boolean)
  return (
    <Card
      title={title}
      message={attempt.message ?? words.noMessage}
      bad={!retrying}
      actions={
        <>
          <Button small onClick={() => onLog(shard.no, attempt.number)}>
            {words.toLog}
          </Button>
          {actions}
        </>
      }
    >
      {sentences.length > 0 && <p>{sentences.join(' ')}</p>}
    </Card>
  )
}

function Card(props: {
  title: ReactNode
  message: string
  bad?: boolean
  actions?: ReactNode
  children?: ReactNode
}) {
  const message = useMessage()(props.message)
  return (
    <section className="sec tight">
      <div className="err" role="alert">
        <Icon name={props.bad === false ? 's-warn' : 's-bad'} className="bad" />
        <div>
          <h2>{props.title}</h2>
          <pre>{message.text}</pre>
          <Original text={message.original} />
          {props.children}
        </div>
        <div className="acts">{props.actions}</div>
      </div>
    </section>
  )
}
