import { compact, flag, list, oneOf, type RawSearch, str } from '../../lib/search'

/** What the address of this page holds: the names of the tokens, and the free text. */
export const validateJobs = (raw: RawSearch) =>
  compact({
    text: str(raw.text),
    label: list(raw.label),
    enabled: oneOf(raw.enabled, ['true', 'false']),
    /** How the newest task that ended did. */
    last: oneOf(raw.last, ['succeeded', 'failed', 'stopped', 'skipped', 'none']),
    schedule: oneOf(raw.schedule, ['none', 'cron', 'fixed_rate', 'fixed_delay', 'once']),
    origin: oneOf(raw.origin, ['code', 'api']),
    running: flag(raw.running),
    idle: str(raw.idle),
    order: oneOf(raw.order, ['next_fire', 'changed']),
  })

export type JobsSearch = ReturnType<typeof validateJobs>
