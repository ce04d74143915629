-- Tasks in shards, children, starts with a key or on a chosen executor, checkpoints.

-- shard_total is 0 on a head that is not laid out over executors yet.
alter table attempts add column shard_index integer not null default 0;
alter table attempts add column shard_total integer not null default 1;
-- Of heads.
alter table attempts add column parent integer;
alter table attempts add column wanted text;

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
