-- Where a child is in the tree of tasks that followed from one start: how many tasks are above it,
-- and how many may still follow from it. Null on the root, and on what an earlier release wrote.
alter table attempts add column depth integer;
alter table attempts add column budget integer;
alter table child_starts add column depth integer;
alter table child_starts add column budget integer;

-- The children of living jobs, by child: the content of jobs.children, written together with it.
create table job_children (
    child integer not null,
    parent integer not null,
    primary key (child, parent)
) strict, without rowid;

create index job_children_by_parent on job_children (parent);

insert into job_children (child, parent)
select distinct child.value, jobs.id from jobs, json_each(jobs.children) as child
where jobs.children <> '[]' and jobs.deleted_at is null;

-- No query lists all jobs that have children any longer.
drop index if exists jobs_with_children;
