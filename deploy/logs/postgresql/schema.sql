-- The log of the prediction servers as a table. A second run changes nothing.
\set ON_ERROR_STOP on
begin;

create schema if not exists hounsfield;

create table if not exists hounsfield.log (
    id            bigint generated always as identity primary key,
    -- When the server logged it; when it arrived, for a line that says no time.
    logged_at     timestamptz not null,
    host          text not null,
    level         text not null,
    message       text not null,
    -- Of lines about a request.
    request_id    text,
    method        text,
    route         text,
    status        integer,
    milliseconds  double precision,
    -- All other fields.
    more          jsonb not null default '{}'
);
create index if not exists log_by_time on hounsfield.log (logged_at);
create index if not exists log_by_request on hounsfield.log (request_id) where request_id is not null;

-- Stores a line. It never fails because of what the line contains: rsyslog would send such a line again for ever,
-- and no other after it. What is no JSON, such as a panic, is stored as text with the level RAW.
create or replace function hounsfield.add_line(host text, line text) returns void
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    fields jsonb;
begin
    fields := line::jsonb;
    if jsonb_typeof(fields) <> 'object' then
        raise data_exception;
    end if;
    insert into hounsfield.log (logged_at, host, level, message, request_id, method, route, status, milliseconds, more)
    values (
        coalesce((fields ->> 'timestamp')::timestamptz, clock_timestamp()),
        host,
        coalesce(fields ->> 'level', 'RAW'),
        coalesce(fields ->> 'message', ''),
        fields ->> 'request_id',
        fields ->> 'method',
        fields ->> 'route',
        (fields ->> 'status')::integer,
        (fields ->> 'milliseconds')::double precision,
        fields - array['timestamp', 'level', 'message', 'request_id', 'method', 'route', 'status', 'milliseconds']
    );
-- No JSON object, or a field of another type. A database that is full or stops still fails, and is tried again.
exception when data_exception then
    insert into hounsfield.log (logged_at, host, level, message) values (clock_timestamp(), host, 'RAW', line);
end
$$;

-- Removes lines older than so many days: call it every day.
create or replace function hounsfield.forget_log(days integer) returns bigint
    language sql
as $$
    with gone as (
        delete from hounsfield.log where logged_at < now() - make_interval(days => days) returning 1
    )
    select count(*) from gone
$$;

-- rsyslog may add lines, and neither read nor change them. It has no password yet, so it cannot sign in.
do $$
begin
    if not exists (select from pg_roles where rolname = 'hounsfield_rsyslog') then
        create role hounsfield_rsyslog login;
    end if;
end
$$;
-- Each line is a transaction of its own (rsyslog/hounsfield.conf says why). Without waiting for the disk there are
-- thousands a second in place of hundreds; if PostgreSQL crashes, the lines of the last second may be missing.
alter role hounsfield_rsyslog set synchronous_commit = off;
revoke all on all functions in schema hounsfield from public;
grant usage on schema hounsfield to hounsfield_rsyslog;
grant execute on function hounsfield.add_line (text, text) to hounsfield_rsyslog;

commit;
