import { compact, oneOf, type RawSearch, str } from '../../lib/search'

export const ALARM_TABS = ['past', 'channels', 'silences'] as const

/** What the address of this page holds. */
export const validateAlarms = (raw: RawSearch) =>
  compact({
    job: str(raw.job),
    channel: str(raw.channel),
    /** Words that the alarm, its job or its executor has. */
    text: str(raw.text),
    tab: oneOf(raw.tab, ALARM_TABS),
  })
