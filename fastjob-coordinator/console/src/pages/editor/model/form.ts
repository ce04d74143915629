/** What the form holds: every field of a job as it is typed, so that a text with an error in it stays. */

import type { Json } from '../../../api/types'

export type Kind = 'cron' | 'fixed_rate' | 'fixed_delay' | 'once' | 'parent' | 'none'

export interface Label {
  key: string
  value: string
}

export interface Child {
  job: string
  on: string
  pass: boolean
}

export interface Form {
  name: string
  service: string
  handler: string
  description: string
  enabled: boolean
  labels: Label[]

  kind: Kind
  cron: string
  zone: string
  fixedRate: string
  fixedDelay: string
  /** Instants are RFC 3339, as typed or picked. */
  once: string
  startAt: string
  endAt: string
  jitter: string
  excludeDays: string[]
  excludeHours: string[]
  misfire: string
  fireAllMax: string
  fireAllWindow: string

  param: string
  route: string
  executor: string
  shard: string
  shardFilter: string
  shardCount: string
  block: string
  blockScope: string
  maxWaiting: string
  maxRunning: string
  timeout: string
  grace: string
  retryCount: string
  retryDelay: string
  retryFactor: string
  retryMaxDelay: string
  retryJitter: string
  noExecutor: string
  children: Child[]
  /** Jobs that are to start this one, as `service.name`: they are saved after it. */
  parents: string[]
  alarms: string[]
  runsLonger: string
  startsLater: string
}

/** The fields of the definition that the form was made of, and has no place for. */
export type Rest = Record<string, Json>

/** The defaults of `fastjob-core`. */
export const DEFAULTS = {
  service: 'default',
  misfire: 'skip',
  fireAllMax: '10',
  route: 'round_robin',
  shard: 'one',
  block: 'serial',
  blockScope: 'executor',
  maxWaiting: '1000',
  maxRunning: '16',
  grace: '10s',
  retryCount: '0',
  retryDelay: '5s',
  retryFactor: '2',
  retryMaxDelay: '5m',
  retryJitter: '0',
  noExecutor: '60s',
  startsLater: '60s',
} as const

export function emptyForm(zone: string): Form {
  return {
    ...DEFAULTS,
    name: '',
    handler: '',
    description: '',
    enabled: true,
    labels: [],
    kind: 'cron',
    cron: '0 0 2 * * ?',
    zone,
    fixedRate: '',
    fixedDelay: '',
    once: '',
    startAt: '',
    endAt: '',
    jitter: '',
    excludeDays: [],
    excludeHours: [],
    fireAllWindow: '',
    param: '',
    executor: '',
    shardFilter: '',
    shardCount: '',
    timeout: '',
    children: [],
    parents: [],
    alarms: [],
    runsLonger: '',
  }
}
