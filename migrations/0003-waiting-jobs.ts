import { type Kysely, sql } from 'kysely'

/**
 * Jobs that wait are kept apart from those that may be due, so that a claim reads only what it may take, in the order of
 * deadlines, however many others wait. Jobs that somebody inserts by hand need not say what is a matter of course. And
 * sweeps tell from when on all is known.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.jobs
      add column waits boolean not null default true,
      alter column due_at set default now(),
      alter column deadline_at set default now() + interval '180 days',
      alter column created_at set default now(),
      alter column updated_at set default now()`.execute(db)
  await sql`
    comment on column archive.jobs.waits is
      'Whether due_at was still to come when it was last looked at: claims are made from jobs that do not wait, and wake those whose time has come.'`.execute(
    db,
  )
  await sql`alter table archive.sweeps add column swept_from timestamptz`.execute(db)
  await sql`
    comment on column archive.sweeps.swept_from is
      'Everything LCIC listed from then until swept_until is known, without a gap.'`.execute(db)
  await sql`
    comment on column archive.sweeps.swept_until is
      'Everything LCIC listed up to then is known, from swept_from on; set by a sweep that read it all.'`.execute(db)
  // From where it was known is not known; the next sweep finds out anew.
  await sql`update archive.sweeps set swept_from = swept_until`.execute(db)
  await sql`drop index archive.jobs_claim, archive.jobs_next_due`.execute(db)
  await sql`create index jobs_claim on archive.jobs (deadline_at, due_at) where state = 'pending' and not waits`.execute(
    db,
  )
  await sql`create index jobs_waiting on archive.jobs (due_at) where state = 'pending' and waits`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop index archive.jobs_claim, archive.jobs_waiting`.execute(db)
  await sql`create index jobs_claim on archive.jobs (deadline_at, due_at) where state = 'pending'`.execute(db)
  await sql`
    create index jobs_next_due on archive.jobs ((due_at at time zone 'utc')) where state = 'pending'`.execute(db)
  await sql`alter table archive.sweeps drop column swept_from`.execute(db)
  await sql`
    alter table archive.jobs
      drop column waits,
      alter column due_at drop default,
      alter column deadline_at drop default,
      alter column created_at drop default,
      alter column updated_at drop default`.execute(db)
}
