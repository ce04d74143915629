/** The choices of a job, in the order of the console, with the icon or the words in the dictionary under the
 * same name. `xxl` is the word of XXL-JOB, so that its users find what they had. */

export interface Choice {
  name: string
  /** What XXL-JOB calls it, if it has it. */
  xxl?: string
}

export const MISFIRES: Choice[] = [
  { name: 'skip', xxl: 'DO_NOTHING' },
  { name: 'fire_once', xxl: 'FIRE_ONCE_NOW' },
  { name: 'fire_all' },
]

export const ROUTES: Choice[] = [
  { name: 'round_robin', xxl: 'ROUND' },
  { name: 'random', xxl: 'RANDOM' },
  { name: 'consistent_hash', xxl: 'CONSISTENT_HASH' },
  { name: 'least_scheduled', xxl: 'LEAST_FREQUENTLY_USED' },
  { name: 'least_recently_used', xxl: 'LEAST_RECENTLY_USED' },
  { name: 'failover', xxl: 'FAILOVER' },
  { name: 'idle_first', xxl: 'BUSYOVER' },
  { name: 'response_first' },
  { name: 'cpu_first' },
  { name: 'memory_first' },
  { name: 'first', xxl: 'FIRST' },
  { name: 'last', xxl: 'LAST' },
  { name: 'specific' },
]

export const SHARDS: Choice[] = [
  { name: 'one' },
  { name: 'all', xxl: 'SHARDING_BROADCAST' },
  { name: 'dynamic' },
  { name: 'count' },
]

export const BLOCKS: Choice[] = [
  { name: 'serial', xxl: 'SERIAL_EXECUTION' },
  { name: 'skip_new', xxl: 'DISCARD_LATER' },
  { name: 'replace_running', xxl: 'COVER_EARLY' },
  { name: 'parallel' },
]

export const SCOPES: Choice[] = [{ name: 'executor' }, { name: 'cluster' }]
export const CHILD_ENDS: Choice[] = [{ name: 'success' }, { name: 'failure' }, { name: 'always' }]
