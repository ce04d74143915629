-- Instants are whole milliseconds since the Unix epoch. The codes of states, causes and reasons are
-- in store/codes.rs.

create table meta (
    key text not null primary key,
    value text not null
) strict, without rowid;

create table jobs (
    id integer not null primary key,
    service text not null,
    name text not null,
    definition text not null,
    origin integer not null,
    revision integer not null,
    anchor integer not null,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer
) strict;

create unique index jobs_by_name on jobs (service, name) where deleted_at is null;
create index jobs_by_bare_name on jobs (name) where deleted_at is null;

create table lives (
    id integer not null primary key,
    service text not null,
    executor text not null,
    incarnation text not null,
    since integer not null
) strict;

-- One row an attempt. The first attempt of a task (id = task) is also its head: it alone has a
-- task_state. So the usual task costs one insert and one update.
create table attempts (
    id integer not null primary key,
    task integer not null,
    job integer not null,
    number integer not null,
    cause integer not null,
    fire_at integer,
    due_at integer not null,
    created_at integer not null,
    life integer,
    state integer not null,
    reason integer,
    message text,
    result text,
    started_at integer,
    ended_at integer,
    task_state integer,
    task_ended_at integer,
    -- Of a task whose result came from a retry.
    task_result text,
    param text,
    note text
) strict;

create index attempts_open on attempts (id) where state = 0;
create index heads_by_job on attempts (job, id) where task_state is not null;
create index heads_not_succeeded on attempts (task_state, id) where task_state > 3;
create index retries on attempts (task, number) where task_state is null;

create table logs (
    attempt integer not null primary key,
    tail text not null
) strict;
