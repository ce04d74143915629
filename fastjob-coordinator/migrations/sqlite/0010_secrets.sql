-- What coordinators of this store know and their callers do not. A coordinator that finds no value
-- makes one.
create table secrets (
    name text not null primary key,
    value text not null
) strict;
