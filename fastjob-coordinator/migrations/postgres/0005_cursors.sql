-- Up to where the fires of a job are planned, where that is beyond the watermark of its partition: a
-- long round of planning was recorded in parts. What is not beyond the watermark means nothing.
create table cursors (
    job bigint not null primary key,
    at bigint not null
);
