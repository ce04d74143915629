-- One row for each alarm and channel, written in the transaction of what it tells of. The number
-- follows the order of the commits, so that a sender reads on from where it was. States: 0 waiting,
-- 1 sent, 2 given up.
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
create index alarms_done on alarms (done_at) where state > 0;
-- A task tells of a kind of trouble once.
create unique index alarms_once_a_task on alarms (task, kind, channel) where task is not null;
