-- What the nodes of the cluster know and their callers do not. In a table of its own, so that grants
-- and dumps can leave it out. A node that finds no value makes one.
create table secrets (
    name text not null primary key,
    value text not null
);
