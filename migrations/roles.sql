-- The roles of lcic-archive. An administrator runs this once in the archive's database, where who migrates may not create
-- roles:
--
--   psql "$ADMIN_URL" -f migrations/roles.sql
--
-- It may be run again, and in several databases of one server. Then give each program a login of its own:
--
--   create role lcic_deploy login password '…' in role lcic_migrator;  -- runs lcic-archive migrate
--   create role lcic_worker login password '…' in role lcic_writer;    -- the functions, workers and other commands
--   create role lcic_watch  login password '…' in role lcic_monitor;   -- lcic-archive status; no personal data
--   create role lcic_bi     login password '…' in role lcic_reader;    -- analysts: schema analytics; no personal data
--   grant lcic_pii_reader to lcic_bi;                                  -- names and addresses, too: analytics_pii
--
-- and run lcic-archive migrate, which grants the rights to tables (they stand in lib/db/rights.ts), now and whenever
-- some are missing. An archive that belongs to another role so far: make that a member of lcic_migrator, too, and run
-- migrate once as that role; then the schemas and all that is in them belong to lcic_migrator.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['lcic_migrator', 'lcic_writer', 'lcic_monitor', 'lcic_reader', 'lcic_pii_reader'] loop
    if not exists (select from pg_roles where rolname = role_name) then
      begin
        execute format('create role %I nologin', role_name);
      exception
        -- Another database of the server was quicker.
        when duplicate_object or unique_violation then null;
      end;
    end if;
  end loop;
  execute format('grant connect, create on database %I to lcic_migrator', current_database());
  execute format('grant connect on database %I to lcic_writer, lcic_monitor, lcic_reader, lcic_pii_reader',
    current_database());
end
$$;
