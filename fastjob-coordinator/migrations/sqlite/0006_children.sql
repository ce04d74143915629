-- The jobs that a job's children were when it was saved: a JSON array of ids, in the order of the
-- definition's.
alter table jobs add column children text not null default '[]';

create index jobs_with_children on jobs (id) where children <> '[]' and deleted_at is null;
