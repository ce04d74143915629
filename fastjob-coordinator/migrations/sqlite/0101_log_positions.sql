-- Where the tail begins in the log of its attempt, in bytes.
alter table logs add column begins integer not null default 0;
