-- The latest fire of a job that ended while the clock of its engine had not reached it. A change of
-- the job does not plan it again.
create table fired_ahead (
    job integer not null primary key,
    at integer not null
) strict;
