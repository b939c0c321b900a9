import { type Kysely, sql } from 'kysely'

/**
 * Jobs that wait are kept apart from those that may be due, so that a claim reads only what it may take, in the order of
 * deadlines, however many others wait. And jobs that somebody inserts by hand need not say what is a matter of course.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.jobs
      add column waits boolean not null default true,
      alter column deadline_at set default now() + interval '180 days',
      alter column created_at set default now(),
      alter column updated_at set default now()`.execute(db)
  await sql`
    comment on column archive.jobs.waits is
      'Whether due_at was still to come when it was last looked at: claims are made from jobs that do not wait, and wake those whose time has come.'`.execute(
    db,
  )
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
  await sql`
    alter table archive.jobs
      drop column waits,
      alter column deadline_at drop default,
      alter column created_at drop default,
      alter column updated_at drop default`.execute(db)
}
