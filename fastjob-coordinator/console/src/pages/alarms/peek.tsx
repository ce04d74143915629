/** What the panel shows of an alarm: its message and why it was not sent, whole. */
import type { AlarmView } from '../../api/types'
import { type I18n, useI18n } from '../../i18n'
import { type Peeked, paths, Status, Time, usePeek } from '../../ui'

export function useAlarmPeek(rows: readonly AlarmView[]) {
  const i18n = useI18n()
  return usePeek<AlarmView>(
    rows,
    (alarm) => alarm.id,
    (alarm) => peeked(alarm, i18n),
  )
}

function peeked(alarm: AlarmView, { t }: I18n): Peeked {
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
        ? [{ head: t.peek.notSent, text: alarm.last_error, bad: true }]
        : []),
      { head: t.peek.message, text: alarm.message || alarm.reason },
    ],
    to: alarm.task === null ? paths.job(alarm.job) : paths.task(alarm.task),
    toLabel: alarm.task === null ? t.peek.job : t.peek.task,
  }
}
