-- Children whose job is in another partition than their parent: written with the parent's end, and
-- removed with the start of the child.
create table child_starts (
    id integer not null primary key,
    partition integer not null,
    job integer not null,
    parent integer not null,
    param text
) strict;

create index child_starts_by_partition on child_starts (partition, id);
