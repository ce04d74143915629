import type { ReactNode } from 'react'
import { useI18n } from '../i18n'
import { cx } from './cx'
import { Icon, type IconName } from './Icon'

type Look = readonly [icon: IconName, colour: 'ok' | 'bad' | 'run' | 'wait' | 'off', spin?: boolean]

const looks: Record<string, Look> = {
  queued: ['s-wait', 'wait'],
  planned: ['s-wait', 'wait'],
  dispatched: ['s-wait', 'run'],
  running: ['s-run', 'run', true],
  stopping: ['s-run', 'off', true],
  succeeded: ['s-ok', 'ok'],
  failed: ['s-bad', 'bad'],
  stopped: ['s-stop', 'off'],
  skipped: ['s-skip', 'off'],
  connected: ['s-ok', 'ok'],
  draining: ['s-wait', 'wait'],
  drained: ['s-stop', 'off'],
  disconnected: ['s-wait', 'wait'],
  lost: ['s-bad', 'bad'],
  sent: ['s-ok', 'ok'],
  waiting: ['s-wait', 'wait'],
  given_up: ['s-warn', 'bad'],
  silenced: ['s-skip', 'off'],
  none: ['s-all', 'off'],
  failing: ['s-bad', 'bad'],
  no_executor: ['s-wait', 'wait'],
  late: ['s-wait', 'wait'],
  runs_long: ['s-run', 'run', true],
  alarm_given_up: ['s-warn', 'wait'],
  lost_executor: ['s-bad', 'bad'],
  store: ['s-warn', 'bad'],
  clock: ['s-warn', 'wait'],
}
const unknown: Look = ['s-all', 'off']

/** The icon of a state of a task, an attempt, an executor or an alarm. */
export function StatusIcon({ state, still, label }: { state: string; still?: boolean; label?: string }) {
  const [icon, colour, spin] = looks[state] ?? unknown
  return <Icon name={icon} className={cx(colour, spin && !still && 'spin')} {...(label && { label })} />
}

/** The word of a state, in the language of the page. A word that a newer coordinator has added is shown as it is. */
export function useStateWord(): (state: string) => string {
  const { t } = useI18n()
  return (state) => (t.state as Record<string, string>)[state] ?? state
}

/** A state: icon and word. Never colour alone. */
export function Status({ state, children, still }: { state: string; children?: ReactNode; still?: boolean }) {
  const word = useStateWord()
  return (
    <span className="st">
      <StatusIcon state={state} {...(still && { still })} />
      {children ?? word(state)}
    </span>
  )
}
