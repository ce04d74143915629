import { compact, oneOf, type RawSearch, str } from '../../lib/search'

export const ALARM_TABS = ['past', 'channels', 'silences'] as const

/** What the address of this page holds. */
export const validateAlarms = (raw: RawSearch) =>
  compact({
    job: str(raw.job),
    channel: str(raw.channel),
    /** Free words, looked for in the alarms that are loaded. */
    text: str(raw.text),
    tab: oneOf(raw.tab, ALARM_TABS),
  })
