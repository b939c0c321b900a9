import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'

/** What it takes to forget members: who was erased, how many records a room lacks for it, and what was kept long enough. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.rooms
      add column erased int not null default 0,
      add column members_pruned_at timestamptz,
      add column pages_pruned_at timestamptz`.execute(db)
  await sql`alter table archive.raw_pages add column erased int not null default 0`.execute(db)
  await sql`
    create table archive.erasures (
      erasure_id bigint generated always as identity primary key,
      sdk_app_id bigint,
      digests bytea[] not null,
      erased_at timestamptz not null,
      rooms int not null default 0,
      scanned_to bigint,
      finished_at timestamptz
    )`.execute(db)
  await sql`
    create table archive.erasure_salt (
      is_only boolean primary key default true check (is_only),
      salt bytea not null
    )`.execute(db)
  await sql`insert into archive.erasure_salt (salt) values (${randomBytes(32)})`.execute(db)
  for (const [table, { about, columns }] of Object.entries(comments)) {
    if (about) await sql`comment on table ${sql.table(`archive.${table}`)} is ${sql.lit(about)}`.execute(db)
    for (const [column, text] of Object.entries(columns)) {
      await sql`comment on column ${sql.ref(`archive.${table}.${column}`)} is ${sql.lit(text)}`.execute(db)
    }
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table archive.erasures, archive.erasure_salt`.execute(db)
  await sql`alter table archive.raw_pages drop column erased`.execute(db)
  await sql`
    alter table archive.rooms
      drop column erased, drop column members_pruned_at, drop column pages_pruned_at`.execute(db)
}

const comments: Record<string, { about?: string; columns: Record<string, string> }> = {
  rooms: {
    columns: {
      erased: 'Records of total that are left out because their members were erased.',
      members_pruned_at:
        'When the member records of the room were deleted because they were kept long enough; null: they are there.',
      pages_pruned_at:
        'When the raw pages of the room were deleted because they were kept long enough; null: they are there.',
    },
  },
  raw_pages: {
    columns: {
      body: 'The answer, character by character, but for personal data that are replaced or dropped (ARCHIVE_PERSONAL_DATA) and records of members that were erased; null where it says the same as an earlier attempt (same_as_attempt).',
      content_hash: 'SHA-256 of body, its RequestId left out.',
      record_count: 'Number of member records that are on this page.',
      erased: 'Records of the page that are left out because their members were erased.',
    },
  },
  callbacks: {
    columns: {
      body: 'The callback as it came; where personal data are not kept, or a member was erased, only its event, time, app and room.',
    },
  },
  erasures: {
    about: 'One row a member that was erased: whoever archives leaves the records of these members out.',
    columns: {
      erasure_id: 'Number of the erasure; later ones have higher numbers.',
      sdk_app_id: 'The LCIC app (SdkAppId) whose member it was; null: of whatever app.',
      digests:
        'Salted SHA-256 of the user id, as LCIC has it and as the archive has it, if that is a pseudonym; the id itself is nowhere.',
      erased_at: 'When the erasure was asked for: no record of the member was stored from then on.',
      rooms: 'Rooms in which something of the member was found and deleted.',
      scanned_to: 'The room up to which raw pages have been looked through so far; null before and afterwards.',
      finished_at: 'When nothing was left of the member; null: not finished, erase-member has to be run again.',
    },
  },
  erasure_salt: {
    about: 'The salt of the digests in erasures: one row, random, of this archive alone.',
    columns: { is_only: 'Always true.', salt: 'The salt.' },
  },
}
