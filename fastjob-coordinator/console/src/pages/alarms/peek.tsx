/** What the panel shows of an alarm: its message and why it was not sent, whole. */
import type { AlarmView } from '../../api/types'
import { type I18n, useI18n } from '../../i18n'
import { messageIn } from '../../i18n/server'
import { type Peeked, paths, Status, Time, usePeek } from '../../ui'
import { reasonKey } from '../task/shards'

export function useAlarmPeek(rows: readonly AlarmView[]) {
  const i18n = useI18n()
  return usePeek<AlarmView>(
    rows,
    (alarm) => alarm.id,
    (alarm) => peeked(alarm, i18n),
  )
}

/** What an alarm says: its message, or why it was raised. */
export function alarmWords(alarm: AlarmView, i18n: I18n): { text: string; original?: string } {
  const reason = (i18n.t.reason as Record<string, string>)[reasonKey(alarm.reason)]
  return alarm.message === '' && reason !== undefined
    ? { text: reason }
    : messageIn(alarm.message || alarm.reason, i18n)
}

function peeked(alarm: AlarmView, i18n: I18n): Peeked {
  const { t } = i18n
  const kinds = t.alarms.kinds as Record<string, string>
  return {
    title: `${alarm.job} · ${kinds[alarm.kind] ?? alarm.kind}`,
    facts: (
      <>
        <Status state={alarm.state} />
        <span>{alarm.channel}</span>
        {alarm.executor && <span>{alarm.executor}</span>}
        <Time at={alarm.at} look="near" />
      </>
    ),
    parts: [
      ...(alarm.last_error && alarm.state !== 'sent'
        ? [{ head: t.peek.notSent, ...messageIn(alarm.last_error, i18n), bad: true }]
        : []),
      { head: t.peek.message, ...alarmWords(alarm, i18n) },
    ],
    to: alarm.task === null ? paths.job(alarm.job) : paths.task(alarm.task),
    toLabel: alarm.task === null ? t.peek.job : t.peek.task,
  }
}
