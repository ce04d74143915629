/** The types of the REST API, with the names of the Rust types. Instants are RFC 3339 texts in UTC, durations
 * texts such as `30s`. Words that a newer coordinator has added are plain texts: `(string & {})`. */

export type Instant = string
export type Span = string
type Newer = string & {}

export type TaskState = 'queued' | 'running' | 'stopping' | 'succeeded' | 'failed' | 'stopped' | 'skipped'
export type AttemptState =
  | 'planned'
  | 'dispatched'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'stopped'
  | 'skipped'
export type Cause = 'schedule' | 'misfire' | 'manual' | 'api' | 'parent' | 'backfill'
export type FailReason =
  | 'error'
  | 'fatal_error'
  | 'timed_out'
  | 'executor_lost'
  | 'panicked'
  | 'no_executor'
  | Newer
export type ExecutorState = 'connected' | 'draining' | 'drained' | 'disconnected' | 'lost'
export type Saved = 'created' | 'updated' | 'unchanged'
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** One page of a list. */
export interface Page<T> {
  items: T[]
  next_cursor: string | null
  /** The page ended early: everything up to here has been searched. */
  searched_to?: Instant
  unanswered?: string[]
  total?: number
}

export interface InvalidField {
  field: string
  message: string
}

export interface ProblemDetails {
  type: string
  title: string
  status: number
  detail: string
  problems?: InvalidField[]
  errors?: InvalidField[]
}

export interface ScheduleDraft {
  cron?: string
  fixed_rate?: Span
  fixed_delay?: Span
  once?: Instant
  zone?: string
}
export interface ExcludeDraft {
  days?: string[]
  hours?: string[]
  zone?: string
}
export interface MisfireDraft {
  fire_all: { max?: number; window?: Span }
}
export interface ShardDraft {
  dynamic?: string
  count?: number
}
export interface BlockDraft {
  strategy?: string
  scope?: string
  max_waiting?: number
  max_running?: number
}
export interface RetryDraft {
  count?: number
  delay?: Span
  factor?: number
  max_delay?: Span
  jitter?: number
}
export interface ChildDraft {
  job: string
  on?: 'success' | 'failure' | 'always' | Newer
  pass_result?: boolean
}
export interface AlarmWhenDraft {
  runs_longer?: Span
  starts_later?: Span
}

/** The fields of a job's definition. */
export interface JobDraft {
  name: string
  description?: string
  service?: string
  handler?: string
  param?: Json
  enabled?: boolean
  labels?: Record<string, string>
  schedule?: 'none' | Newer | ScheduleDraft
  start_at?: Instant
  end_at?: Instant
  jitter?: Span
  exclude?: ExcludeDraft
  misfire?: 'skip' | 'fire_once' | Newer | MisfireDraft
  route?: Newer | { specific: string }
  shard?: 'one' | 'all' | Newer | ShardDraft
  block?: Newer | BlockDraft
  timeout?: Span
  grace?: Span
  retry?: number | RetryDraft
  no_executor?: Span
  children?: ChildDraft[]
  alarms?: string[]
  alarm_when?: AlarmWhenDraft
}

export interface JobEndView {
  task: number
  state: TaskState
  started_at: Instant | null
  ended_at: Instant
}
export interface JobActivity {
  queued: number | null
  running: number | null
  ends: JobEndView[]
}
export interface JobView extends JobDraft {
  id: number
  revision: number
  origin: 'code' | 'api' | Newer
  created_at: Instant
  updated_at: Instant
  next_fire_at: Instant | null
  activity?: JobActivity
  overrides?: string[]
  declared?: JobDraft
}
export interface FieldChange {
  field: string
  from?: Json
  to?: Json
}
export interface ApplyRequest {
  jobs: (Partial<JobDraft> & { origin?: string })[]
  replace?: boolean
  dry_run?: boolean
}
export interface AppliedJob {
  job: string
  saved: Saved
  changes?: FieldChange[]
  origin: string
  was_code?: boolean
  ignored?: FieldChange[]
}
export interface Applied {
  items: AppliedJob[]
}
export interface Fires {
  fires: Instant[]
}
export interface VersionView {
  revision: number
  saved_at: Instant
  origin: string
  /** The job was deleted; the definition is the one that it had. */
  deleted?: boolean
  /** Another release has saved it, so this coordinator cannot read its definition. */
  unreadable?: boolean
  changes: FieldChange[]
}
export interface JobVersion {
  revision: number
  saved_at: Instant
  origin: string
  job: JobDraft
}

export interface ProgressView {
  done: number
  total: number
  note: string
}
export interface AttemptView {
  id: number
  number: number
  shard: number
  shards: number
  state: AttemptState
  reason: FailReason | null
  message: string | null
  executor: string | null
  progress: ProgressView | null
  waits_for?: string
  due_at: Instant
  started_at: Instant | null
  ended_at: Instant | null
}
export interface TaskView {
  id: number
  job: string
  service: string
  state: TaskState
  cause: Cause
  fire_at: Instant | null
  created_at: Instant
  started_at: Instant | null
  ended_at: Instant | null
  param: string | null
  result: string | null
  note: string | null
  parent: number | null
  reruns?: number
  rerun_by?: number
  /** 32 hexadecimal digits. */
  trace_id?: string
  unanswered?: string
  attempts: AttemptView[]
}
export interface StopAnswer {
  stopped: boolean
  state: TaskState
}
export interface StartRequest {
  param?: Json
  executor?: string
  at?: Instant
  delay?: Span
  key?: string
  cause?: 'manual'
}
export interface RerunRequest {
  param?: Json
  shards?: string
  executor?: string
  again?: boolean
  key?: string
  cause?: 'manual'
}
export interface Started {
  task: number
  created: boolean
  state?: TaskState
}
export interface BackfillRequest {
  from: Instant
  until?: Instant
  max?: number
  again?: boolean
  key?: string
}
export interface Backfilled {
  tasks: number[]
  existing?: number[]
  more: boolean
}
export interface LogView {
  attempt: number
  number: number
  shard: number
  shards: number
  offset: number
  next_offset: number
  text: string
  ended: boolean
  source: 'executor' | 'archive' | 'tail' | Newer
  note?: string
}

export interface DurationStats {
  count: number
  mean_ms: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  max_ms: number
}
export interface TaskStats {
  succeeded: number
  failed: number
  stopped: number
  skipped: number
  run_time: DurationStats | null
  wait: DurationStats | null
  lateness: DurationStats | null
}
export interface StatsBucket extends TaskStats {
  at: Instant
}
export interface StatsView {
  since: Instant
  until: Instant
  bucket: Span
  items: StatsBucket[]
  total: TaskStats
}
export interface JobStats extends TaskStats {
  job: string
  service: string
}
export interface JobStatsView {
  since: Instant
  until: Instant
  items: JobStats[]
}

export interface FireView {
  at: Instant
  job: string
  service: string
  zone?: string
  more?: boolean
}
export interface ScheduleView {
  from: Instant
  until: Instant
  items: FireView[]
  cut_at?: Instant
}

export interface ExecutorView {
  name: string
  service: string
  state: ExecutorState
  connected: boolean
  leaving: boolean
  drained: boolean
  incarnation: string
  address: string
  version: string
  since: Instant
  last_seen: Instant | null
  lost_at: Instant | null
  lost_attempts: number
  capacity: number
  attempts: number
  running: number
  waiting: number
  cpu: number
  memory_free: number
  memory_total: number
  labels: Record<string, string>
  handlers: Record<string, string>
  unanswered?: string[]
}
export interface NodeView {
  id: string
  address: string
  version: string
  since: Instant
  partitions: number
  answers: boolean
  state?: string
  lease_left_ms?: number | null
  clock_offset_ms?: number | null
}

export interface AlarmView {
  id: number
  kind: 'failed' | 'recovered' | 'runs_long' | 'starts_late' | Newer
  job: string
  task: number | null
  channel: string
  state: 'waiting' | 'sent' | 'given_up' | 'silenced' | Newer
  tries: number
  last_error: string | null
  reason: string
  message: string
  executor: string | null
  attempts: number
  at: Instant
  done_at: Instant | null
}
export interface ChannelView {
  name: string
  kind: string
  group_wait: Span
  group_interval: Span
  default_for: string[]
}
export interface Tested {
  sent: boolean
  error: string | null
}
export interface SilenceRequest {
  job?: string
  channel?: string
  until?: Instant
  for?: Span
  reason?: string
}
export interface SilenceView {
  id: number
  job: string | null
  channel: string | null
  until: Instant
  reason: string
  created_at: Instant
}

export type AttentionKind =
  | 'failing'
  | 'no_executor'
  | 'late'
  | 'runs_long'
  | 'alarm_given_up'
  | 'lost_executor'
  | 'store'
  | 'clock'
  | Newer
export interface Attention {
  kind: AttentionKind
  job: string | null
  service: string | null
  task: number | null
  executor: string | null
  since: Instant | null
  count: number
  message: string
}
export interface OverviewView {
  at: Instant
  tasks: { queued: number | null; running: number | null }
  jobs: { total: number; enabled: number; failing: number }
  executors: {
    connected: number
    draining: number
    drained: number
    disconnected: number
    lost: number
    capacity: number
    attempts: number
    running: number
  }
  attention: Attention[]
  attention_more: boolean
  unanswered?: string[]
}
export interface ServiceView {
  service: string
  jobs: number
  enabled: number
  executors: number
  queued: number | null
  running: number | null
}
export interface AboutView {
  version: string
  store: 'sqlite' | 'postgres' | Newer
  started_at: Instant
  now: Instant
  node: string
  cluster: boolean
  token: boolean
  logs: boolean
  problems: string[]
}
export interface HandlerView {
  service: string
  handler: string
  description: string | null
  schema: { [key: string]: Json } | null
  executors: string[]
  executors_total: number
  jobs: string[]
  jobs_total: number
}

export interface BulkJobsRequest {
  action: 'enable' | 'disable' | 'start' | 'delete' | 'release'
  jobs?: string[]
  filter?: JobFilter
  param?: Json
  /** Only to start. */
  cause?: 'manual'
  dry_run?: boolean
  expect?: number
}
export interface BulkTasksRequest {
  action: 'stop' | 'rerun'
  tasks?: number[]
  filter?: TaskFilter
  dry_run?: boolean
  expect?: number
  reason?: string
  /** Only to rerun. */
  cause?: 'manual'
}
export interface BulkAnswer {
  matched: number
  done: number
  failed?: number
  /** Not tried before the deadline of the call. */
  not_done?: number
  items: { job?: string; task?: number; new_task?: number; error?: string }[]
  dry_run: boolean
}

/** The query of `GET /jobs`. */
export interface JobFilter {
  service?: string
  label?: string[]
  text?: string
  enabled?: boolean
  origin?: string
  schedule?: 'none' | 'cron' | 'fixed_rate' | 'fixed_delay' | 'once'
  last_state?: 'succeeded' | 'failed' | 'stopped' | 'skipped' | 'none'
  running?: true
  idle_since?: string
  order?: 'name' | 'next_fire' | 'changed'
}
/** The query of `GET /tasks`. */
export interface TaskFilter {
  job?: string
  service?: string
  label?: string[]
  state?: string[]
  cause?: string
  executor?: string
  since?: string
  until?: string
  text?: string
  key?: string
  min_run_time?: Span
  late?: Span
  reason?: string
  order?: 'newest' | 'oldest' | 'run_time'
}

export interface SessionView {
  needed: boolean
  signed_in: boolean
}

/** Events of `GET /events`. */
export interface CountsEvent {
  at: Instant
  queued: number | null
  running: number | null
  ended: number
  failed: number
  executors: number
  alarms: number
}
export interface ChangedEvent {
  jobs?: boolean
  executors?: boolean
  tasks?: boolean
  alarms?: boolean
  nodes?: boolean
}
