/** From the form to a definition: what differs from the defaults, and what the form does not know. */

import type { JobDraft, Json } from '../../../api/types'
import { parseDuration } from '../../../schedule/duration'
import { DEFAULTS, type Form, type Rest } from './form'
import { compact } from './json'
import { isTable } from './read'

type Table = { [key: string]: Json | undefined }

/** The definition. A text with an error in it is left as it is, so that the coordinator names its field. */
export function toDraft(form: Form, rest: Rest = {}): JobDraft {
  const own: Table = {
    name: form.name.trim(),
    service: other(form.service.trim(), DEFAULTS.service),
    handler: other(form.handler.trim(), form.name.trim()),
    description: given(form.description.trim()),
    param: given(compact(form.param)),
    schedule: schedule(form),
    ...limits(form),
    misfire: misfire(form),
    route: form.route === 'specific' ? { specific: form.executor.trim() } : other(form.route, DEFAULTS.route),
    shard: shard(form),
    block: block(form),
    timeout: given(form.timeout.trim()),
    grace: span(form.grace, DEFAULTS.grace),
    retry: retry(form),
    no_executor: span(form.noExecutor, DEFAULTS.noExecutor),
    children: children(form),
    alarms: form.alarms.length > 0 ? form.alarms : undefined,
    alarm_when: alarmWhen(form),
    enabled: form.enabled ? undefined : false,
    labels: labels(form),
  }
  const draft: Table = {}
  for (const [field, value] of Object.entries(own)) {
    const more = rest[field]
    // A table keeps what the form does not know, as long as it is still a table.
    const whole = isTable(value) && isTable(more) ? { ...value, ...more } : value
    if (whole !== undefined) draft[field] = whole as Json
  }
  for (const [field, value] of Object.entries(rest)) if (!(field in own)) draft[field] = value
  return draft as unknown as JobDraft
}

export const hasSchedule = ({ kind }: Form): boolean => kind !== 'none' && kind !== 'parent'

const given = (text: string) => (text === '' ? undefined : text)
const other = (text: string, otherwise: string) => (text === otherwise ? undefined : given(text))

/** A duration, unless it is the default in any spelling. */
function span(text: string, otherwise: string): string | undefined {
  const trimmed = text.trim()
  const millis = parseDuration(trimmed)
  return millis !== null && millis === parseDuration(otherwise) ? undefined : given(trimmed)
}

/** A number, or the text if it is not one: the coordinator then says what it expected. */
export function number(text: string, otherwise = ''): number | string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  const value = Number(trimmed)
  if (Number.isNaN(value)) return trimmed
  return otherwise !== '' && value === Number(otherwise) ? undefined : value
}

/** The table with the fields that are set; none if there is none. */
function table(fields: Table): Json | undefined {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined)
  return set.length > 0 ? (Object.fromEntries(set) as Json) : undefined
}

function schedule(form: Form): Json | undefined {
  switch (form.kind) {
    case 'cron':
      return table({ cron: form.cron.trim(), zone: other(form.zone, 'UTC') })
    case 'fixed_rate':
      return { fixed_rate: form.fixedRate.trim() }
    case 'fixed_delay':
      return { fixed_delay: form.fixedDelay.trim() }
    case 'once':
      return { once: form.once.trim() }
    case 'parent':
    case 'none':
      return undefined
  }
}

function limits(form: Form): Table {
  if (!hasSchedule(form)) return {}
  const excludes = form.excludeDays.length + form.excludeHours.length > 0
  const days = form.excludeDays.length > 0 ? form.excludeDays : undefined
  const hours = form.excludeHours.length > 0 ? form.excludeHours : undefined
  const zone = form.kind === 'cron' ? undefined : other(form.zone, 'UTC')
  return {
    start_at: given(form.startAt.trim()),
    end_at: given(form.endAt.trim()),
    jitter: span(form.jitter, '0s'),
    exclude: excludes ? table({ days, hours, zone }) : undefined,
  }
}

function misfire(form: Form): Json | undefined {
  if (form.misfire !== 'fire_all') return other(form.misfire, DEFAULTS.misfire)
  const bounds = table({
    max: number(form.fireAllMax, DEFAULTS.fireAllMax),
    window: given(form.fireAllWindow.trim()),
  })
  return bounds === undefined ? 'fire_all' : { fire_all: bounds }
}

function shard(form: Form): Json | undefined {
  if (form.shard === 'dynamic') return { dynamic: form.shardFilter.trim() }
  if (form.shard === 'count') return { count: number(form.shardCount) ?? '' }
  return other(form.shard, DEFAULTS.shard)
}

function block(form: Form): Json | undefined {
  const waits = form.block === 'serial' || form.block === 'parallel'
  const more = table({
    scope: other(form.blockScope, DEFAULTS.blockScope),
    max_waiting: waits ? number(form.maxWaiting, DEFAULTS.maxWaiting) : undefined,
    max_running: form.block === 'parallel' ? number(form.maxRunning, DEFAULTS.maxRunning) : undefined,
  })
  if (!isTable(more)) return other(form.block, DEFAULTS.block)
  return { strategy: form.block, ...more } as Json
}

function retry(form: Form): Json | undefined {
  return table({
    count: number(form.retryCount, DEFAULTS.retryCount),
    delay: span(form.retryDelay, DEFAULTS.retryDelay),
    factor: number(form.retryFactor, DEFAULTS.retryFactor),
    max_delay: span(form.retryMaxDelay, DEFAULTS.retryMaxDelay),
    jitter: number(form.retryJitter, DEFAULTS.retryJitter),
  })
}

function children(form: Form): Json | undefined {
  if (form.children.length === 0) return undefined
  return form.children.map(
    ({ job, on, pass }) =>
      ({ job: job.trim(), ...(on !== 'success' && { on }), ...(pass && { pass_result: true }) }) as Json,
  )
}

function alarmWhen(form: Form): Json | undefined {
  if (form.alarms.length === 0) return undefined
  return table({
    runs_longer: given(form.runsLonger.trim()),
    starts_later: span(form.startsLater, DEFAULTS.startsLater),
  })
}

function labels(form: Form): Json | undefined {
  const set = form.labels.filter(({ key, value }) => key.trim() !== '' || value.trim() !== '')
  return table(Object.fromEntries(set.map(({ key, value }) => [key.trim(), value.trim()])))
}
