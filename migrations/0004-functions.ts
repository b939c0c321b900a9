import { type Kysely, sql } from 'kysely'

/** What functions need besides: a callback that names a room has it archived at once, and a flood of them does not start one function each. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Unlogged: after a crash an empty table is right.
  await sql`
    create unlogged table archive.invocations (
      function_name text primary key,
      next_at timestamptz not null
    )`.execute(db)
  await sql`
    comment on table archive.invocations is
      'The budget for starting functions: when the next one may be started. Unlogged: empty after a crash, and made anew by the next start.'`.execute(
    db,
  )
  await sql`comment on column archive.invocations.function_name is 'Name of the function.'`.execute(db)
  await sql`comment on column archive.invocations.next_at is 'When it may be started next.'`.execute(db)
  await sql`create index callbacks_received_at on archive.callbacks (received_at)`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop index archive.callbacks_received_at`.execute(db)
  await sql`drop table archive.invocations`.execute(db)
}
