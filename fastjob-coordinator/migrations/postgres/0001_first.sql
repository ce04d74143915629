-- Instants are whole milliseconds since the Unix epoch. The codes of states, causes and reasons are
-- in store/codes.rs. What has an id is in the partition that the id leaves when it is divided by the
-- number of partitions, which stands in meta, in the rows of partitions, and in the indexes that a
-- partition is loaded by.

create table meta (
    key text not null primary key,
    value text not null
);

insert into meta (key, value) values
    ('cluster', gen_random_uuid()::text),
    ('partitions', '32'),
    ('since', (extract(epoch from clock_timestamp()) * 1000)::bigint::text);

-- Who holds a partition, and how far it is. The term counts the holdings: a commit of an older one
-- is refused. Every commit updates the row, so there is room for it in its page.
create table partitions (
    partition int4 not null primary key,
    node text,
    term bigint not null default 0,
    watermark bigint,
    clock bigint,
    ids_until bigint not null default 0
) with (fillfactor = 10);

insert into partitions (partition) select generate_series(0, 31);

create table nodes (
    id text not null primary key,
    address text not null,
    version text not null,
    since bigint not null,
    -- Until when it lives, by the clock of the database.
    until timestamptz not null
) with (fillfactor = 20);

create table jobs (
    id bigint not null primary key,
    service text not null collate "C",
    name text not null collate "C",
    definition text not null,
    origin smallint not null,
    revision bigint not null,
    anchor bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint
) with (fillfactor = 80);

create unique index jobs_by_name on jobs (service, name) where deleted_at is null;
create index jobs_by_bare_name on jobs (name) where deleted_at is null;
create index jobs_by_change on jobs (updated_at);
create index jobs_by_partition on jobs ((id % 32));

create table lives (
    id bigint not null primary key,
    service text not null,
    executor text not null,
    incarnation text not null,
    since bigint not null
);

-- One row an attempt. The first attempt of a task (id = task) is also its head: it alone has a
-- task_state. So the usual task costs one insert and one update.
create table attempts (
    id bigint not null primary key,
    task bigint not null,
    job bigint not null,
    fire_at bigint,
    due_at bigint not null,
    created_at bigint not null,
    life bigint,
    started_at bigint,
    ended_at bigint,
    task_ended_at bigint,
    parent bigint,
    number int4 not null,
    shard_index int4 not null default 0,
    -- 0 on a head that is not laid out over executors yet.
    shard_total int4 not null default 1,
    cause smallint not null,
    state smallint not null,
    reason smallint,
    task_state smallint,
    message text,
    result text,
    -- Of a task whose result came from a retry, or from several shards.
    task_result text,
    param text,
    note text,
    wanted text
) with (fillfactor = 80);

-- For loading only: what is looked up by its id is to be found by the primary key, see outcomes.rs.
create index attempts_open on attempts ((id % 32), id) where state = 0;
create index heads_by_job on attempts (job, id) where id = task;
create index heads_not_succeeded on attempts (task_state, id) where task_state > 3;
create index retries on attempts (task, number) where id <> task;

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
-- removed with the start of the child.
create table child_starts (
    id bigint not null primary key,
    partition int4 not null,
    job bigint not null,
    parent bigint not null,
    param text
);

create index child_starts_by_partition on child_starts (partition, id);

-- Counts what has to be numbered in the order of the commits, whichever node they come from: who
-- takes numbers holds the row until its commit.
create table counters (
    name text not null primary key,
    value bigint not null
) with (fillfactor = 10);

insert into counters (name, value) values ('alarms', 0);

-- One row for each alarm and channel, written in the transaction of what it tells of. The number
-- follows the order of the commits, so that a sender reads on from where it was. States: 0 waiting,
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
-- Which jobs fail: the latest of theirs says so.
create index alarms_of_failures on alarms ((job % 32), job, id) where kind in (1, 2);
-- Past alarms of a channel, newest first.
create index alarms_by_channel on alarms (channel, number);
create index alarms_done on alarms (done_at) where state > 0;
-- A task tells of a kind of trouble once.
create unique index alarms_once_a_task on alarms (task, kind, channel) where task is not null;

-- Of a job, of a channel, or of both: what is null is any. An alarm that one covers when it is to be
-- sent gets state 3, silenced. At most a few hundred are there at the same time.
create table silences (
    id bigint generated always as identity primary key,
    job bigint,
    -- `service.name`, to be shown.
    job_name text,
    channel text,
    until bigint not null,
    reason text not null,
    created_at bigint not null,
    check (job is not null or channel is not null)
);
