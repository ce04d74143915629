-- Where a child is in the tree of tasks that followed from one start: how many tasks are above it,
-- and how many may still follow from it. Null on the root, and on what an earlier release wrote.
alter table attempts add column depth int4;
alter table attempts add column budget int4;
alter table child_starts add column depth int4;
alter table child_starts add column budget int4;

-- The children of living jobs, by child: the content of jobs.children, written together with it.
create table job_children (
    child bigint not null,
    parent bigint not null,
    primary key (child, parent)
);

create index job_children_by_parent on job_children (parent);

insert into job_children (child, parent)
select distinct unnest(string_to_array(trim(both '[]' from children), ',')::bigint[]), id
from jobs where children <> '[]' and deleted_at is null;

-- No query lists all jobs that have children any longer.
drop index if exists jobs_with_children;
