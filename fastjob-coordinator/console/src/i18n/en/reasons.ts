/**
 * Messages of the coordinator and of executors about tasks: what they wait for, why they ended, what needs attention.
 * English is what they write. The places say what is found there: `{n}`, `{m}` and `{k}` numbers, `{for}` and `{of}` durations,
 * `{at}` and `{to}` instants, `{why}` and `{also}` messages of their own, `{state}` a state, `{a}` and `{b}` any text. See `i18n/server.ts`.
 */
export const reasons = {
  // Messages in messages, before those that are whole.
  waiting: 'waiting: {why}',
  failsIn: '{why}; it fails in {for}',
  oneAhead: '{why}, 1 waits before it',
  manyAhead: '{why}, {n} or more wait before it',
  someAhead: '{why}, {n} wait before it',
  dueAgoWhy: 'due {for} ago and not started: {why}',
  dueAgo: 'due {for} ago and not started',
  aborted: '{why}, and was aborted after a grace period of {for}',
  blocked:
    '{why}, and could not be aborted after a grace period of {for}: its thread is blocked, and it may still run',
  tooDeep: '{why}: it is the {n}th task in its chain of children, and a chain has at most {m}',
  tooMany:
    '{why}: of the {n} tasks that may follow from one start (coordinator.limits.max_descendants), {m} were left for this one',
  standsForNotStarted: '{why}; not started: {also}',
  limitReached: 'not started: {why}',

  // What a task waits for.
  store: 'the store',
  storePlaces: 'the store, which records that it goes to `{a}`',
  reconnects: 'executors to reconnect',
  reconnect: 'executor `{a}` to reconnect: it may have started the attempt',
  turnOn: 'its turn on executor `{a}`, which has received it',
  retryDelay: 'the delay of its retry: {at}',
  itsTime: 'its time: {at}',
  turnAmong: 'its turn: {n} of {m} run',
  turnAfter: 'its turn: task {n} runs',
  turn: 'its turn',
  replacing: 'the tasks that it replaces to stop: {n} run',
  anyExecutor: 'an executor with handler `{a}`',
  unknownExecutor: 'executor `{a}` of service `{b}`, which is unknown',
  disconnected: 'executor `{a}`, which is disconnected',
  lacksHandler: 'executor `{a}`, which has no handler `{b}`',
  isDrained: 'executor `{a}`, which is drained until it is resumed',
  drains: 'executor `{a}`, which drains',
  isFull: 'executor `{a}`, which is full: it holds {n}',
  noneConnected: 'no executor of `{a}` with handler `{b}` is connected',
  onlyDrained: 'the only executor with handler `{a}` is drained until it is resumed',
  allDrained: 'all {n} executors with handler `{a}` are drained until resumed',
  onlyDrains: 'the only executor with handler `{a}` drains',
  allDrain: 'all {n} executors with handler `{a}` drain',
  noneMatches: 'no executor with handler `{a}` matches the filter of its shards',
  onlyFull: 'the only executor with handler `{a}` is full or not eligible',
  allFull: 'all {n} executors with handler `{a}` are full or not eligible',

  // Why no executor took it.
  wasDrained:
    'executor `{a}` is drained, and did not accept work for {for}: `fastjob executor resume` ends that',
  wereDrained:
    'all executors with the handler `{a}` are drained ({n}), and none accepted work for {for}: `fastjob executor resume` ends that',
  wasAway: 'executor `{a}` was disconnected, full or without the handler `{b}` for {for}',
  noneMatched: 'none of the {n} executors with the handler matched the filter for {for}',
  noneWasConnected: 'no executor of service `{a}` with the handler `{b}` was connected for {for}',
  drainedOrFull: 'of {n} executors with the handler `{a}`, {m} were drained and the others full for {for}',
  oneWasFull: 'the one executor with the handler `{a}` was full for {for}',
  allWereFull: 'all {n} executors with the handler `{a}` were full for {for}',

  // How an attempt ended, if not by its handler.
  executorStopped: 'its executor stopped before it ended',
  executorLost: 'its executor disconnected and did not reconnect in time',
  executorRestarted: 'its executor was restarted',
  lostContact:
    'its executor lost contact with the coordinator, and no other attempt of the job may run at the same time',
  lostContactAborted:
    'its executor lost contact with the coordinator, and no other attempt of the job may run at the same time; it was aborted',
  tookLonger: 'ran longer than {for}',
  askedToStop: 'was asked to stop',
  panicked: 'panicked: {a}',
  noParam:
    'handler `{a}`: the task has no param, the handler needs one: start it with a param, or set one in its job',
  itsJobDeleted: 'its job was deleted',
  itsJobChanged: 'its job was changed before it was sent',
  replacedBy: 'replaced by task {n}',
  stoppedUnsent: 'stopped before it was sent',
  stoppedUnentered: 'stopped before it was entered',
  noHandlerThere: 'this executor has no handler `{a}`; it has {b}',
  longResult: 'the result has {n} bytes, at most {m} are allowed',
  busy: 'another task of the job was running',
  queueFull: '{n} attempts of the job were waiting already, no more may (block.max_waiting)',
  shardFailed: 'a shard failed',
  oneShardWhy: 'shard {n} of {m} failed: {why}',
  oneShard: 'shard {n} of {m} failed',
  someShardsWhy: '{n} of {m} shards failed, shard {k} first: {why}',
  someShards: '{n} of {m} shards failed, shard {k} first',
  oneOfShards: '{n} of {m} shards failed, one of them shard {k}',

  // What was not started.
  standsFor: 'stands for {n} missed fires',
  missedOne: '1 fire was missed and skipped',
  missed: '{a} fires from {at} to {to} were missed and skipped',
  openTasks: 'the limit of {n} open tasks is reached (coordinator.limits.max_open_tasks)',
  openBytes:
    'the limit of {n} bytes for the params of open tasks is reached (coordinator.limits.max_open_bytes)',
  oneChild: '1 child was not started',
  someChildren: '{n} children were not started',
  noChildren: 'children not started',
  missedFires: 'missed',
  startsLate: 'not started after {for}',
  runsFor: 'running after {for}',

  // What needs attention.
  runsLong: 'has run for {for}; 95 % of its recent runs took {of} or less',
  lost: 'executor `{a}` was lost',
  lostOne: 'executor `{a}` was lost with one attempt',
  lostSome: 'executor `{a}` was lost with {n} attempts',
  notSent: 'alarms could not be sent over `{a}`: {why}',
  notConfigured: 'it is not configured',
  channelUnknown: 'the channel is not configured',
  clockBack: 'a clock was set back: schedules are paused until {at}',
  ownClockBack: "this machine's clock was set back: schedules are paused until it shows {at} again",
  storeUnread: 'the store could not be read: see the log',
  storeUnwritten: 'the store cannot be written: {why}',
  leaseLost: 'this node could not renew its lease',
  notLoaded: 'no node acts on partition {n}, and this node cannot load it: {why}',

  // Actions on many jobs or tasks, and logs.
  notDone: 'not done: {n} s had passed; repeat the request for it',
  resultUnknown: "the store failed, so its result is unknown; see the coordinator's log",
  hasEnded: 'it has already ended: {state}',
  otherJobs: '{n} jobs match, and the request expects {m}: nothing was done',
  otherTasks: '{n} tasks match, and the request expects {m}: nothing was done',
  severalJobs: 'several services have a job named {a}: use {b}',
  noShard: 'task {n} has no shard {m}: it has 0 to {a}',
  logAway: 'the log cannot be read: {why}',
  logEndOnly: 'only the end of the log is shown: {why}',
  logRange:
    'bytes {n} to {m} of this log cannot be read: its executor is not connected, or has removed it, and only the end was kept',
  logRest:
    'what follows byte {n} of this log cannot be read: its executor is not connected, or has removed it',
  logRemoved: 'bytes {n} to {m} of this log are not kept any more',
  logCut:
    'the log is cut here: its executor has not sent the rest, because it was killed, or is not connected',
  logPart: 'a part of this log was not kept: a line says where, and the end of the log follows it',
}
