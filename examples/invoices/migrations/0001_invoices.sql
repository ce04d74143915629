-- Which tasks of FastJob have done their work. A row is written in the transaction of that work, so
-- it is there if and only if the work is.
create table done_tasks (
    task bigint primary key,
    done_at timestamptz not null default now()
);

-- The law wants invoice numbers without gaps, which a sequence does not give.
create table invoice_numbers (last bigint not null);
insert into invoice_numbers values (0);

create table invoices (
    number bigint primary key,
    task bigint not null unique references done_tasks,
    customer text not null,
    cents bigint not null check (cents > 0),
    issued_at timestamptz not null default now()
);

create table customers (
    name text primary key,
    owes_cents bigint not null
);
