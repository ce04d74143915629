-- Instants are whole milliseconds since the Unix epoch. The codes of states, causes and reasons are
-- in store/codes.rs. What has an id is in the partition that remains when the id is divided by the
-- number of partitions. That number is in meta, in the rows of partitions, and in the indexes that a
-- partition is loaded by.

create table meta (
    key text not null primary key,
    value text not null
);

insert into meta (key, value) values
    ('cluster', gen_random_uuid()::text),
    ('partitions', '32'),
    ('since', (extract(epoch from clock_timestamp()) * 1000)::bigint::text);

-- Which node owns a partition, and how far it is. The term counts the owners: a commit of an earlier
-- term is rejected. Every commit updates the row, so there is room for it in its page.
create table partitions (
    partition int4 not null primary key,
    node text,
    term bigint not null default 0,
    watermark bigint,
    clock bigint,
    ids_until bigint not null default 0,
    -- The last record of its journal.
    seq bigint not null default 0,
    -- The number of transactions that wrote to it, with or without a record.
    commits bigint not null default 0,
    -- The number of open attempts.
    open bigint not null default 0
) with (fillfactor = 10);

insert into partitions (partition) select generate_series(0, 31);

create table nodes (
    id text not null primary key,
    address text not null,
    version text not null,
    since bigint not null,
    -- Until when it is alive, by the clock of the database.
    until timestamptz not null
) with (fillfactor = 20);

-- What the nodes of the cluster know and their callers do not. In a table of its own, so that grants
-- and dumps can leave it out. A node that finds no value makes one.
create table secrets (
    name text not null primary key,
    value text not null
);

create table jobs (
    id bigint not null primary key,
    service text not null collate "C",
    name text not null collate "C",
    definition text not null,
    -- 1: code owns the definition, 2: a person; and 4 if people have set whether it is enabled, 8 if
    -- they have set its alarms.
    origin smallint not null,
    revision bigint not null,
    anchor bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    -- The jobs that its children were when it was saved: a JSON array of ids, in the order of the
    -- definition.
    children text not null,
    -- What code declares, if that is another definition, or if a person took the definition from it.
    declared text
) with (fillfactor = 80);

create unique index jobs_by_name on jobs (service, name) where deleted_at is null;
create index jobs_by_bare_name on jobs (name) where deleted_at is null;
create index jobs_by_partition on jobs ((id % 32));
-- A deleted job is removed by its last change: its deletion, or the last day on which an executor
-- still declared it.
create index deleted_jobs on jobs (updated_at) where deleted_at is not null;
create index deleted_jobs_by_name on jobs (service, name) where deleted_at is not null;

-- The children of jobs that are not deleted, by child: the content of jobs.children, written with it.
create table job_children (
    child bigint not null,
    parent bigint not null,
    primary key (child, parent)
);

create index job_children_by_parent on job_children (parent);

-- Earlier versions of jobs: what a change has replaced. The current version is the row in jobs. Kept
-- are the last 100 of each job, with the current one; those of a deleted job as long as its row.
create table job_versions (
    job bigint not null,
    revision bigint not null,
    saved_at bigint not null,
    origin smallint not null,
    definition text not null,
    primary key (job, revision)
);

-- Up to where the fires of a job are planned, if that is beyond the watermark: a long round of
-- planning was recorded in parts. A cursor that is not beyond the watermark has no meaning.
create table cursors (
    job bigint not null primary key,
    at bigint not null
);

-- The latest fire of a job that ended while the clock of its engine had not reached it. A change of
-- the job does not plan it again.
create table fired_ahead (
    job bigint not null primary key,
    at bigint not null
);

create table lives (
    id bigint not null primary key,
    service text not null,
    executor text not null,
    incarnation text not null,
    since bigint not null
);

-- What is open, as records in a binary form: see store/journal. Records are added at one end and
-- removed at the other, so the table is vacuumed early.
create table journal (
    partition int4 not null,
    seq bigint not null,
    record bytea not null,
    primary key (partition, seq)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);

-- Tasks that have ended, one row each, written once. The columns from due_at to message describe the
-- only attempt. They are null if the task had several, which are in `attempts`.
create table tasks (
    id bigint not null primary key,
    job bigint not null,
    cause smallint not null,
    state smallint not null,
    created_at bigint not null,
    ended_at bigint not null,
    fire_at bigint,
    parent bigint,
    reruns bigint,
    due_at bigint,
    started_at bigint,
    life bigint,
    attempt_state smallint,
    reason smallint,
    message text,
    result text,
    param text,
    note text,
    -- The id of the trace that it was part of, as 32 digits.
    trace text
);

-- Which tasks a job has, which did not succeed, and when they ended: see store/index. Written with
-- the tasks, merged later. end_at and end_task are the first end that was not removed, and
-- its task. Segments come and go, so the tables are vacuumed early.
create table index_segments (
    partition int4 not null,
    level smallint not null,
    number bigint not null,
    tasks bigint not null,
    not_succeeded bigint not null,
    first_task bigint not null,
    last_task bigint not null,
    first_created bigint not null,
    last_created bigint not null,
    end_at bigint not null,
    end_task bigint not null,
    last_end bigint not null,
    primary key (partition, level, number)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);

-- Sorted entries of a segment in a binary form, by the first of them.
create table index_blocks (
    partition int4 not null,
    level smallint not null,
    number bigint not null,
    kind smallint not null,
    value bigint not null,
    task bigint not null,
    -- Too small to be stored elsewhere, and not worth compressing.
    entries bytea not null,
    primary key (partition, level, number, kind, value, task)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

alter table index_blocks alter column entries set storage plain;

-- Attempts that have ended, of tasks with retries or shards, including those of open tasks.
create table attempts (
    id bigint not null primary key,
    task bigint not null,
    number int4 not null,
    shard_index int4 not null,
    shard_total int4 not null,
    state smallint not null,
    due_at bigint not null,
    ended_at bigint not null,
    started_at bigint,
    life bigint,
    reason smallint,
    message text,
    result text
);

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
    attempt bigint not null primary key,
    tail text not null
);

-- Kept as long as the task.
create table keys (
    job bigint not null,
    key text not null,
    task bigint not null,
    primary key (job, key)
);

create index keys_by_task on keys (task);

create table checkpoints (
    task bigint not null,
    shard int4 not null,
    value text not null,
    primary key (task, shard)
);

-- Children whose job is in another partition than their parent: written with the parent's end, and
-- removed with the start of the child. depth and budget are the child's place in the tree of tasks
-- that follow from one start.
create table child_starts (
    id bigint not null primary key,
    partition int4 not null,
    job bigint not null,
    parent bigint not null,
    param text,
    depth int4,
    budget int4,
    -- The trace that the child is part of, as the W3C headers `traceparent` and, after a space,
    -- `tracestate`.
    trace text
);

create index child_starts_by_partition on child_starts (partition, id);

-- Counts what is numbered in the order of the commits, whichever node they come from: a commit that
-- takes numbers locks the row until its end.
create table counters (
    name text not null primary key,
    value bigint not null
) with (fillfactor = 10);

insert into counters (name, value) values ('alarms', 0);

-- One row for each alarm and channel, written in the transaction of what it reports. The number
-- follows the order of the commits, so that a sender continues where it stopped. States: 0 waiting,
-- 1 sent, 2 given up, 3 silenced.
create table alarms (
    number bigint not null primary key,
    id bigint not null,
    channel text not null,
    job bigint not null,
    task bigint,
    kind smallint not null,
    at bigint not null,
    job_name text not null,
    reason text not null,
    message text not null,
    executor text,
    attempts int4 not null,
    state smallint not null default 0,
    tries int4 not null default 0,
    done_at bigint,
    last_error text
);

create unique index alarms_once on alarms (id, channel);
create index alarms_waiting on alarms (channel, number) where state = 0;
create index alarms_by_job on alarms (job, number);
-- Which jobs fail: the latest of their alarms says so.
create index alarms_of_failures on alarms ((job % 32), job, id) where kind in (1, 2);
-- Past alarms of a channel, newest first.
create index alarms_by_channel on alarms (channel, number);
create index alarms_done on alarms (done_at) where state > 0;
-- A task raises each kind of alarm once.
create unique index alarms_once_a_task on alarms (task, kind, channel) where task is not null;

-- Of a job, of a channel, or of both: null means any. An alarm that a silence covers when it is to be
-- sent gets the state silenced. At most a few hundred exist at the same time.
create table silences (
    id bigint generated always as identity primary key,
    job bigint,
    -- `service.name`, for display.
    job_name text,
    channel text,
    until bigint not null,
    reason text not null,
    created_at bigint not null,
    check (job is not null or channel is not null)
);

-- Executors that users drain: they get no new attempts. At most a thousand.
create table drains (
    service text not null,
    executor text not null,
    since bigint not null,
    primary key (service, executor)
);
