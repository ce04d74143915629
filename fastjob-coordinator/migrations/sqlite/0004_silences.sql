-- Of a job, of a channel, or of both: what is null is any. An alarm that one covers when it is to be
-- sent gets state 3, silenced. At most a few hundred are there at the same time.
create table silences (
    id integer not null primary key autoincrement,
    job integer,
    -- `service.name`, to be shown.
    job_name text,
    channel text,
    until integer not null,
    reason text not null,
    created_at integer not null,
    check (job is not null or channel is not null)
) strict;

-- Past alarms of a channel, newest first.
create index alarms_by_channel on alarms (channel, number);
