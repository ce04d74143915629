/** From a definition to the form. What the form has no place for is kept apart, and saved again. */

import type { BlockDraft, JobDraft, Json, ScheduleDraft } from '../../../api/types'
import { parseDuration } from '../../../schedule/duration'
import { emptyForm, type Form, type Kind, type Rest } from './form'

type Table = { [key: string]: Json | undefined }

/** The fields of a job, and those of its tables, that the form knows. */
const KNOWN: Record<string, readonly string[] | null> = {
  name: null,
  description: null,
  service: null,
  handler: null,
  param: null,
  enabled: null,
  labels: null,
  schedule: ['cron', 'fixed_rate', 'fixed_delay', 'once', 'zone'],
  start_at: null,
  end_at: null,
  jitter: null,
  exclude: ['days', 'hours', 'zone'],
  misfire: ['fire_all'],
  route: ['specific'],
  shard: ['dynamic', 'count'],
  block: ['strategy', 'scope', 'max_waiting', 'max_running'],
  timeout: null,
  grace: null,
  retry: ['count', 'delay', 'factor', 'max_delay', 'jitter'],
  no_executor: null,
  children: null,
  alarms: null,
  alarm_when: ['runs_longer', 'starts_later'],
}
/** What the coordinator adds to a definition that it shows. */
const VIEW = [
  ...[
    'id',
    'revision',
    'origin',
    'created_at',
    'updated_at',
    'next_fire_at',
    'activity',
    'overrides',
    'declared',
  ],
  ...['last', 'next', 'running', 'queued', 'etag'],
]

export const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields that the form does not know, those of known tables within their table. */
export function restOf(draft: object): Rest {
  const rest: Rest = {}
  for (const [field, value] of Object.entries(draft)) {
    const known = KNOWN[field]
    if (known === undefined) {
      if (!VIEW.includes(field)) rest[field] = value as Json
    } else if (known && isTable(value)) {
      const more = Object.entries(value).filter(([key]) => !known.includes(key))
      if (more.length > 0) rest[field] = Object.fromEntries(more) as Json
    }
  }
  return rest
}

export function toForm(draft: Partial<JobDraft>, zone: string): Form {
  const empty = emptyForm(zone)
  // A number alone is the count.
  const retry = typeof draft.retry === 'number' ? { count: draft.retry } : draft.retry
  return {
    ...empty,
    name: draft.name ?? '',
    service: draft.service ?? empty.service,
    handler: draft.handler ?? '',
    description: draft.description ?? '',
    enabled: draft.enabled ?? true,
    labels: Object.entries(draft.labels ?? {}).map(([key, value]) => ({ key, value })),
    param: paramText(draft.param),
    ...schedule(draft, zone),
    ...strategies(draft),
    timeout: draft.timeout ?? '',
    grace: span(draft.grace, empty.grace),
    retryCount: text(retry?.count, empty.retryCount),
    retryDelay: span(retry?.delay, empty.retryDelay),
    retryFactor: text(retry?.factor, empty.retryFactor),
    retryMaxDelay: span(retry?.max_delay, empty.retryMaxDelay),
    retryJitter: text(retry?.jitter, empty.retryJitter),
    noExecutor: span(draft.no_executor, empty.noExecutor),
    children: (draft.children ?? []).map(({ job, on, pass_result }) => ({
      job,
      on: on ?? 'success',
      pass: pass_result ?? false,
    })),
    alarms: draft.alarms ?? [],
    runsLonger: draft.alarm_when?.runs_longer ?? '',
    startsLater: span(draft.alarm_when?.starts_later, empty.startsLater),
  }
}

function schedule(draft: Partial<JobDraft>, zone: string) {
  const { cron, fixed_rate, fixed_delay, once, zone: own } = table<ScheduleDraft>(draft.schedule)
  const kinds: [Kind, string | undefined][] = [
    ['cron', cron],
    ['fixed_rate', fixed_rate],
    ['fixed_delay', fixed_delay],
    ['once', once],
  ]
  return {
    kind: kinds.find(([, value]) => value !== undefined)?.[0] ?? ('none' as Kind),
    cron: cron ?? '',
    zone: own ?? draft.exclude?.zone ?? (cron === undefined ? zone : 'UTC'),
    fixedRate: fixed_rate ?? '',
    fixedDelay: fixed_delay ?? '',
    once: once ?? '',
    startAt: draft.start_at ?? '',
    endAt: draft.end_at ?? '',
    jitter: draft.jitter ?? '',
    excludeDays: draft.exclude?.days ?? [],
    excludeHours: draft.exclude?.hours ?? [],
  }
}

function strategies(draft: Partial<JobDraft>) {
  const empty = emptyForm('UTC')
  const misfire = isTable(draft.misfire) ? 'fire_all' : (draft.misfire ?? empty.misfire)
  const bounds = isTable(draft.misfire)
    ? table<{ max?: number; window?: string }>(draft.misfire.fire_all)
    : {}
  const shard = table<{ dynamic?: string; count?: number }>(draft.shard)
  const shards = shard.dynamic !== undefined ? 'dynamic' : shard.count !== undefined ? 'count' : empty.shard
  const block = table<BlockDraft>(draft.block)
  return {
    misfire: misfire as string,
    fireAllMax: text(bounds.max, empty.fireAllMax),
    fireAllWindow: bounds.window ?? '',
    route: isTable(draft.route) ? 'specific' : (draft.route ?? empty.route),
    executor: table<{ specific?: string }>(draft.route).specific ?? '',
    shard: typeof draft.shard === 'string' ? draft.shard : shards,
    shardFilter: shard.dynamic ?? '',
    shardCount: text(shard.count, ''),
    block: typeof draft.block === 'string' ? draft.block : (block.strategy ?? empty.block),
    blockScope: block.scope ?? empty.blockScope,
    maxWaiting: text(block.max_waiting, empty.maxWaiting),
    maxRunning: text(block.max_running, empty.maxRunning),
  }
}

function table<T extends object>(value: unknown): Partial<T> {
  return isTable(value) ? (value as Partial<T>) : {}
}

const text = (value: number | undefined, otherwise: string) =>
  value === undefined ? otherwise : String(value)

/** A duration that is the default in another spelling, such as `1m` for `60s`, is shown as the default. */
function span(value: string | undefined, otherwise: string): string {
  if (value === undefined) return otherwise
  return parseDuration(value) === parseDuration(otherwise) ? otherwise : value
}

/** A param as it is edited: JSON is set out, text is as it is. */
export function paramText(param: Json | undefined): string {
  if (param === undefined || param === null) return ''
  return typeof param === 'string' ? param : JSON.stringify(param, null, 2)
}
