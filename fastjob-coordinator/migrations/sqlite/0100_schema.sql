-- Instants are whole milliseconds since the Unix epoch. The codes of states, causes and reasons are
-- in store/codes.rs.

create table meta (
    key text not null primary key,
    value text not null
) strict, without rowid;

-- What the coordinators of this store know and their callers do not. A coordinator that finds no
-- value makes one.
create table secrets (
    name text not null primary key,
    value text not null
) strict;

create table jobs (
    id integer not null primary key,
    service text not null,
    name text not null,
    definition text not null,
    -- 1: code owns the definition, 2: a person; and 4 if people have set whether it is enabled, 8 if
    -- they have set its alarms.
    origin integer not null,
    revision integer not null,
    anchor integer not null,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer,
    -- The jobs that its children were when it was saved: a JSON array of ids, in the order of the
    -- definition.
    children text not null,
    -- What code declares, if that is another definition, or if a person took the definition from it.
    declared text
) strict;

create unique index jobs_by_name on jobs (service, name) where deleted_at is null;
create index jobs_by_bare_name on jobs (name) where deleted_at is null;
-- A deleted job is removed by its last change: its deletion, or the last day on which an executor
-- still declared it.
create index deleted_jobs on jobs (updated_at) where deleted_at is not null;
create index deleted_jobs_by_name on jobs (service, name) where deleted_at is not null;

-- The children of jobs that are not deleted, by child: the content of jobs.children, written with it.
create table job_children (
    child integer not null,
    parent integer not null,
    primary key (child, parent)
) strict, without rowid;

create index job_children_by_parent on job_children (parent);

-- Earlier versions of jobs: what a change has replaced. The current version is the row in jobs. Kept
-- are the last 100 of each job, with the current one; those of a deleted job as long as its row.
create table job_versions (
    job integer not null,
    revision integer not null,
    saved_at integer not null,
    origin integer not null,
    definition text not null,
    primary key (job, revision)
) strict;

-- Up to where the fires of a job are planned, if that is beyond the watermark: a long round of
-- planning was recorded in parts. A cursor that is not beyond the watermark has no meaning.
create table cursors (
    job integer not null primary key,
    at integer not null
) strict;

-- The latest fire of a job that ended while the clock of its engine had not reached it. A change of
-- the job does not plan it again.
create table fired_ahead (
    job integer not null primary key,
    at integer not null
) strict;

create table lives (
    id integer not null primary key,
    service text not null,
    executor text not null,
    incarnation text not null,
    since integer not null
) strict;

-- What is open, as records in a binary form: see store/journal. The number of open attempts is in
-- meta, as `open`, and the number of commits, with or without a record, as `commits`.
create table journal (
    seq integer not null primary key,
    record blob not null
) strict;

-- Tasks that have ended, one row each, written once. The columns from due_at to message describe the
-- only attempt. They are null if the task had several, which are in `attempts`.
create table tasks (
    id integer not null primary key,
    job integer not null,
    cause integer not null,
    state integer not null,
    created_at integer not null,
    ended_at integer not null,
    fire_at integer,
    parent integer,
    reruns integer,
    due_at integer,
    started_at integer,
    life integer,
    attempt_state integer,
    reason integer,
    message text,
    result text,
    param text,
    note text,
    -- The id of the trace that it was part of, as 32 digits.
    trace text
) strict;

-- Which tasks a job has, which did not succeed, and when they ended: see store/index. Written with
-- the tasks, merged later. end_at and end_task are the first end that was not removed, and
-- its task.
create table index_segments (
    level integer not null,
    number integer not null,
    tasks integer not null,
    not_succeeded integer not null,
    first_task integer not null,
    last_task integer not null,
    first_created integer not null,
    last_created integer not null,
    end_at integer not null,
    end_task integer not null,
    last_end integer not null,
    primary key (level, number)
) strict, without rowid;

-- Sorted entries of a segment in a binary form, by the first of them.
create table index_blocks (
    level integer not null,
    number integer not null,
    kind integer not null,
    value integer not null,
    task integer not null,
    entries blob not null
) strict;

create unique index index_blocks_by_entry on index_blocks (level, number, kind, value, task);

-- Attempts that have ended, of tasks with retries or shards, including those of open tasks.
create table attempts (
    id integer not null primary key,
    task integer not null,
    number integer not null,
    shard_index integer not null,
    shard_total integer not null,
    state integer not null,
    due_at integer not null,
    ended_at integer not null,
    started_at integer,
    life integer,
    reason integer,
    message text,
    result text
) strict;

create index attempts_by_task on attempts (task, id);

-- All attempts that have ended, for queries by hand. Its columns stay as they are in later releases.
create view ended_attempts as
select id, id as task, 1 as number, 0 as shard_index, 1 as shard_total, attempt_state as state,
    due_at, started_at, ended_at, life, reason, message
from tasks where attempt_state is not null
union all
select id, task, number, shard_index, shard_total, state, due_at, started_at, ended_at, life, reason,
    message
from attempts;

create table logs (
    attempt integer not null primary key,
    tail text not null
) strict;

-- Kept as long as the task.
create table keys (
    job integer not null,
    key text not null,
    task integer not null,
    primary key (job, key)
) strict, without rowid;

create index keys_by_task on keys (task);

create table checkpoints (
    task integer not null,
    shard integer not null,
    value text not null,
    primary key (task, shard)
) strict, without rowid;

-- Children whose job is in another partition than their parent: written with the parent's end, and
-- removed with the start of the child. depth and budget are the child's place in the tree of tasks
-- that follow from one start.
create table child_starts (
    id integer not null primary key,
    partition integer not null,
    job integer not null,
    parent integer not null,
    param text,
    depth integer,
    budget integer,
    -- The trace that the child is part of, as the W3C headers `traceparent` and, after a space,
    -- `tracestate`.
    trace text
) strict;

create index child_starts_by_partition on child_starts (partition, id);

-- One row for each alarm and channel, written in the transaction of what it reports. The number
-- follows the order of the commits, so that a sender continues where it stopped. States: 0 waiting,
-- 1 sent, 2 given up, 3 silenced.
create table alarms (
    number integer not null primary key autoincrement,
    id integer not null,
    channel text not null,
    job integer not null,
    task integer,
    kind integer not null,
    at integer not null,
    job_name text not null,
    reason text not null,
    message text not null,
    executor text,
    attempts integer not null,
    state integer not null default 0,
    tries integer not null default 0,
    done_at integer,
    last_error text
) strict;

create unique index alarms_once on alarms (id, channel);
create index alarms_waiting on alarms (channel, number) where state = 0;
create index alarms_by_job on alarms (job, number);
-- Past alarms of a channel, newest first.
create index alarms_by_channel on alarms (channel, number);
create index alarms_done on alarms (done_at) where state > 0;
-- A task raises each kind of alarm once.
create unique index alarms_once_a_task on alarms (task, kind, channel) where task is not null;

-- Of a job, of a channel, or of both: null means any. An alarm that a silence covers when it is to be
-- sent gets the state silenced. At most a few hundred exist at the same time.
create table silences (
    id integer not null primary key autoincrement,
    job integer,
    -- `service.name`, for display.
    job_name text,
    channel text,
    until integer not null,
    reason text not null,
    created_at integer not null,
    check (job is not null or channel is not null)
) strict;

-- Executors that users drain: they get no new attempts. At most a thousand.
create table drains (
    service text not null,
    executor text not null,
    since integer not null,
    primary key (service, executor)
) strict, without rowid;
