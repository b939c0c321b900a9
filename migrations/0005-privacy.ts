import { type Kysely, sql } from 'kysely'

/** What it takes to forget members: who was erased, and how many records a room lacks for it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.rooms
      add column erased int not null default 0,
      add column members_pruned_at timestamptz`.execute(db)
  await sql`alter table archive.raw_pages add column erased int not null default 0`.execute(db)
  await sql`
    comment on column archive.rooms.erased is
      'Records of total that are left out because their members were erased.'`.execute(db)
  await sql`
    comment on column archive.rooms.members_pruned_at is
      'When the member records of the room were deleted because they were kept long enough; null: they are there.'`.execute(
    db,
  )
  await sql`
    comment on column archive.raw_pages.erased is
      'Records of the page that are left out because their members were erased.'`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table archive.raw_pages drop column erased`.execute(db)
  await sql`alter table archive.rooms drop column erased, drop column members_pruned_at`.execute(db)
}
