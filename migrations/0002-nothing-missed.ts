import { type Kysely, sql } from 'kysely'

/**
 * What it takes to miss nothing: jobs with deadlines and reasons, what LCIC lists, how far sweeps have come, and the
 * values that later reads replaced.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.jobs
      alter column due_at drop not null,
      add column deadline_at timestamptz,
      add column reason text,
      add column reason_since timestamptz,
      add column failing_since timestamptz,
      add column not_ready_until timestamptz,
      add column last_attempt_at timestamptz,
      add column hinted_at timestamptz`.execute(db)
  // Up to now due_at meant nothing for settled jobs; from now on it is when they are read again.
  await sql`
    update archive.jobs
    set deadline_at = coalesce(ended_at, created_at) + interval '180 days',
      due_at = case when state = 'pending' then due_at end,
      failing_since = case when state = 'pending' and last_error_code is not null then created_at end`.execute(db)
  await sql`alter table archive.jobs alter column deadline_at set not null`.execute(db)
  await sql`drop index archive.jobs_due_at`.execute(db)
  // In the order of claims; whether an entry is due is seen in the index, without its row.
  await sql`create index jobs_claim on archive.jobs (deadline_at, due_at) where state = 'pending'`.execute(db)
  // When the next one is due. By time without zone, so that the planner, which takes due jobs for few, does not read and
  // sort all of them by this index for a claim.
  await sql`
    create index jobs_next_due on archive.jobs ((due_at at time zone 'utc')) where state = 'pending'`.execute(db)
  await sql`
    create index jobs_reread on archive.jobs (due_at) where state = 'archived' and due_at is not null`.execute(db)
  // The newest rooms that had to be waited for.
  await sql`
    create index jobs_waited on archive.jobs (archived_at) where not_ready_until is not null and archived_at is not null`.execute(
    db,
  )

  await sql`
    create table archive.known_rooms (
      room_id bigint primary key,
      sdk_app_id bigint,
      status int,
      name text,
      teacher_id text,
      room_type int,
      scheduled_start_at timestamptz,
      scheduled_end_at timestamptz,
      real_start_at timestamptz,
      real_end_at timestamptz,
      listed_at timestamptz,
      changed_at timestamptz not null
    )`.execute(db)
  await sql`create index rooms_without_teacher on archive.rooms (archived_at) where teacher_id is null`.execute(db)

  await sql`
    create table archive.sweeps (
      sdk_app_id bigint primary key,
      swept_until timestamptz,
      started_at timestamptz not null,
      finished_at timestamptz,
      rooms int,
      error_message text
    )`.execute(db)

  await sql`
    create table archive.history (
      room_id bigint not null,
      revision int not null,
      user_id text not null,
      replaced_at timestamptz not null,
      old jsonb not null,
      primary key (room_id, revision, user_id)
    )`.execute(db)

  await sql`
    alter table archive.budgets
      add column minute timestamptz,
      add column in_minute int not null default 0,
      add column in_minute_before int not null default 0`.execute(db)

  for (const [table, { about, columns }] of Object.entries(comments)) {
    if (about) await sql`comment on table ${sql.table(`archive.${table}`)} is ${sql.lit(about)}`.execute(db)
    for (const [column, text] of Object.entries(columns)) {
      await sql`comment on column ${sql.ref(`archive.${table}.${column}`)} is ${sql.lit(text)}`.execute(db)
    }
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table archive.history, archive.sweeps, archive.known_rooms`.execute(db)
  await sql`drop index archive.rooms_without_teacher, archive.jobs_waited, archive.jobs_reread, archive.jobs_next_due, archive.jobs_claim`.execute(
    db,
  )
  await sql`update archive.jobs set due_at = updated_at where due_at is null`.execute(db)
  await sql`
    alter table archive.jobs
      alter column due_at set not null,
      drop column deadline_at, drop column reason, drop column reason_since, drop column failing_since,
      drop column not_ready_until, drop column last_attempt_at, drop column hinted_at`.execute(db)
  await sql`create index jobs_due_at on archive.jobs (due_at) where state = 'pending'`.execute(db)
  await sql`alter table archive.budgets drop column minute, drop column in_minute, drop column in_minute_before`.execute(
    db,
  )
}

const comments: Record<string, { about?: string; columns: Record<string, string> }> = {
  jobs: {
    columns: {
      due_at:
        'When the room is to be tried next: a pending one for the first time or again, an archived one to be read once more. Null: not again by itself.',
      deadline_at:
        'By when the room has to be archived: 180 days after its end (after it was first named, while the end is not known), when LCIC may delete its data.',
      reason:
        'Why it is not archived yet, or not confirmed: the class of the last failure (not_ready, not_ended, transient, gone, …); null after a success.',
      reason_since: 'Since when it has failed for that reason without a break.',
      failing_since: 'When it first failed since it was named, retried or archived; it is given up some days after.',
      not_ready_until: 'When LCIC last said that the statistics were not ready yet; null if it never did.',
      last_attempt_at: 'When a process last took the room to work on it.',
      hinted_at: 'When something last called for this room while a process was at work on it.',
    },
  },
  known_rooms: {
    about:
      'One row a room that LCIC has told of by itself (GetRooms, DescribeRoom): what is planned, and how far it is.',
    columns: {
      room_id: 'LCIC room id (RoomId).',
      sdk_app_id: 'The LCIC app (SdkAppId) the room belongs to.',
      status: '0 not started, 1 in class, 2 ended, 3 expired (Status), as last listed.',
      name: 'Name of the class (Name).',
      teacher_id: 'User id of the teacher (TeacherId); empty if LCIC names none, null while it was not asked.',
      room_type: '0 small class, 1 large class, 2 one to one, 3 round table (RoomType).',
      scheduled_start_at: 'When the class was planned to start (StartTime).',
      scheduled_end_at: 'When the class was planned to end (EndTime).',
      real_start_at: 'When the class really started (RealStartTime); null before.',
      real_end_at: 'When the class really ended (RealEndTime); null before.',
      listed_at: 'When GetRooms first listed the room; null if it never did.',
      changed_at: 'When this row last changed.',
    },
  },
  sweeps: {
    about: 'One row an app whose rooms are swept: how far that has come.',
    columns: {
      sdk_app_id: 'The LCIC app (SdkAppId).',
      swept_until: 'Everything LCIC listed up to then is known; moves only after a sweep that read it all.',
      started_at: 'When the last sweep started.',
      finished_at: 'When the last sweep ended well; null while it runs, or if it did not.',
      rooms: 'Rooms it saw.',
      error_message: 'Why the last sweep did not end well.',
    },
  },
  history: {
    about: 'One row a room or member that a later read changed: the values that were replaced.',
    columns: {
      room_id: 'LCIC room id.',
      revision: 'The last revision of the room (rooms.revision) in which the old values were true.',
      user_id: 'The member whose record changed; empty for the room itself.',
      replaced_at: 'When newer values replaced them.',
      old: 'The columns that changed, with their old values; personal data.',
    },
  },
  budgets: {
    columns: {
      minute: 'The minute of the newest slot handed out.',
      in_minute: 'Slots handed out for that minute.',
      in_minute_before: 'Slots handed out for the minute before it.',
    },
  },
}
