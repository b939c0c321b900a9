import { type Kysely, sql } from 'kysely'

/**
 * The archive's tables. Plain SQL, so that what is read here is what PostgreSQL runs; nothing newer than PostgreSQL 12.
 *
 * There is no foreign key from members to rooms: both are only ever written together, by one statement order in one
 * transaction, and a key would cost a look-up for each of a hundred thousand members.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table archive.jobs (
      room_id bigint primary key check (room_id > 0),
      sdk_app_id bigint,
      state text not null default 'pending' check (state in ('pending', 'archived', 'expired', 'missing', 'failed')),
      due_at timestamptz not null,
      lease_until timestamptz,
      leased_by text,
      attempts int not null default 0,
      last_error_code text,
      last_error_message text,
      last_request_id text,
      hinted_by text not null check (hinted_by in ('callback', 'sweep', 'command', 'event')),
      ended_at timestamptz,
      archived_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`.execute(db)
  await sql`create index jobs_due_at on archive.jobs (due_at) where state = 'pending'`.execute(db)

  await sql`
    create table archive.rooms (
      room_id bigint primary key,
      sdk_app_id bigint,
      name text,
      teacher_id text,
      room_type int,
      scheduled_start_at timestamptz,
      scheduled_end_at timestamptz,
      real_start_at timestamptz,
      real_end_at timestamptz,
      peak_member_number int,
      member_number int,
      total int not null,
      message_count int,
      mic_count int,
      extra jsonb not null default '{}',
      revision int not null,
      attempt int not null,
      content_hash text not null,
      archived_at timestamptz not null,
      changed_at timestamptz not null
    )`.execute(db)

  await sql`
    create table archive.member_records (
      room_id bigint not null,
      user_id text not null check (user_id <> ''),
      user_name text,
      present_seconds int,
      camera int,
      mic int,
      silence int,
      answer_questions int,
      hand_ups int,
      first_join_at timestamptz,
      last_quit_at timestamptz,
      rewards int,
      ip_address text,
      location text,
      device int,
      mic_count int,
      message_count int,
      role int,
      group_id text,
      sub_group_ids text[],
      stage int,
      current_state int,
      extra jsonb not null default '{}',
      archived_at timestamptz not null,
      changed_at timestamptz not null,
      removed_at timestamptz,
      primary key (room_id, user_id)
    )`.execute(db)

  await sql`
    create table archive.raw_pages (
      room_id bigint not null,
      attempt int not null,
      page int not null check (page > 0),
      request_id text,
      body json,
      records json,
      same_as_attempt int,
      figures jsonb not null,
      record_count int not null,
      content_hash text not null,
      fetched_at timestamptz not null,
      primary key (room_id, attempt, page),
      check ((body is null) = (same_as_attempt is not null))
    )`.execute(db)

  await sql`
    create table archive.runs (
      room_id bigint not null,
      attempt int not null,
      started_at timestamptz not null,
      finished_at timestamptz,
      outcome text,
      error_code text,
      error_message text,
      request_ids text[] not null default '{}',
      pages int not null default 0,
      records int not null default 0,
      inserted int not null default 0,
      updated int not null default 0,
      removed int not null default 0,
      duplicates int not null default 0,
      content_hash text,
      primary key (room_id, attempt),
      check ((finished_at is null) = (outcome is null))
    )`.execute(db)

  await sql`
    create table archive.callbacks (
      callback_id bigint generated always as identity primary key,
      received_at timestamptz not null,
      event_type text not null,
      room_id bigint,
      body json not null
    )`.execute(db)

  // Unlogged: reserving a slot is the hottest write there is, and after a crash an empty table is right.
  await sql`
    create unlogged table archive.budgets (
      budget text primary key,
      next_slot_at timestamptz not null
    ) with (fillfactor = 10)`.execute(db)

  for (const [table, { about, columns }] of Object.entries(comments)) {
    await sql`comment on table ${sql.table(`archive.${table}`)} is ${sql.lit(about)}`.execute(db)
    for (const [column, text] of Object.entries(columns)) {
      await sql`comment on column ${sql.ref(`archive.${table}.${column}`)} is ${sql.lit(text)}`.execute(db)
    }
  }
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`
    drop table archive.budgets, archive.callbacks, archive.runs, archive.raw_pages,
      archive.member_records, archive.rooms, archive.jobs`.execute(db)
}

const comments: Record<string, { about: string; columns: Record<string, string> }> = {
  jobs: {
    about: 'One row a room that is or was to be archived: how far it is, when it is due, and who works on it.',
    columns: {
      room_id: 'LCIC room id (RoomId).',
      sdk_app_id: 'The LCIC app (SdkAppId) the room belongs to; null while not known.',
      state:
        'pending; archived; expired (ended unused, no statistics exist); missing (LCIC knows no such room); failed (given up).',
      due_at: 'When a pending job is to be tried next.',
      lease_until:
        'Until when its holder may work on the room; past that anyone may take over. Null: nobody works on it.',
      leased_by: 'Who holds the lease: host, process id and a random part.',
      attempts: 'How many attempts failed for a reason that lies with this room, since the last success.',
      last_error_code: 'Code of the last failure, as LCIC named it or as this program names it; null after a success.',
      last_error_message: 'What the last failure means and what happens next; null after a success.',
      last_request_id: 'RequestId of the last answer from LCIC, to quote to its support.',
      hinted_by: 'What first named this room: callback, sweep, command or event.',
      ended_at: 'When the class really ended, where known.',
      archived_at: 'When the archive last agreed with LCIC about this room.',
      created_at: 'When the room was first named.',
      updated_at: 'When this row last changed.',
    },
  },
  rooms: {
    about: 'One row an archived room: the figures LCIC gives for the class as a whole.',
    columns: {
      room_id: 'LCIC room id (RoomId).',
      sdk_app_id: 'The LCIC app (SdkAppId) the room belongs to; null while not known.',
      name: 'Name of the class; null while not known.',
      teacher_id: 'User id of the teacher; null while not known.',
      room_type: '0 small class, 1 large class, 2 one to one, 3 round table; null while not known.',
      scheduled_start_at: 'When the class was planned to start; null while not known.',
      scheduled_end_at: 'When the class was planned to end; null while not known.',
      real_start_at: 'When the class really started (RealStartTime).',
      real_end_at: 'When the class really ended (RealEndTime).',
      peak_member_number: 'Most members online at once (PeakMemberNumber).',
      member_number: 'Members that were online, accumulated (MemberNumber).',
      total: 'Number of member records LCIC announced (Total), those who should have come and did not included.',
      message_count: 'Messages sent in the class (MessageCount).',
      mic_count: 'Times members were on the microphone (MicCount).',
      extra:
        'Fields LCIC sent that have no column of their own, and values that did not fit theirs, by their API names.',
      revision: 'Counts the changes of this room or of any of its members; 1 when first archived.',
      attempt: 'The attempt (raw_pages.attempt, runs.attempt) this room and its members were built from.',
      content_hash: 'SHA-256 over the pages of that attempt, their RequestIds left out: equal hashes, equal content.',
      archived_at: 'When this room was first archived.',
      changed_at: 'When this room or any of its members last changed.',
    },
  },
  member_records: {
    about: 'One row a member of an archived room, those who should have come and did not included.',
    columns: {
      room_id: 'LCIC room id.',
      user_id: 'User id (UserId).',
      user_name: 'Display name (UserName); personal data.',
      present_seconds: 'Seconds online (PresentTime).',
      camera: 'Whether the camera was on: 0 no, 1 yes (Camera). At which instant is not documented.',
      mic: 'Whether the microphone was on: 0 no, 1 yes (Mic). At which instant is not documented.',
      silence: 'Whether the member was muted: 0 no, 1 yes (Silence). At which instant is not documented.',
      answer_questions: 'Questions answered (AnswerQuestions).',
      hand_ups: 'Times a hand was raised (HandUps).',
      first_join_at: 'First join (FirstJoinTimestamp); null if the member never came.',
      last_quit_at: 'Last quit (LastQuitTimestamp); null if the member never came.',
      rewards: 'Rewards received (Rewords, as the API spells it).',
      ip_address: 'Address the member came from (IPAddress), as sent: IPv4, IPv6 or empty; personal data.',
      location: 'Place of that address (Location); personal data.',
      device: '0 unknown, 1 Windows, 2 macOS, 3 Android, 4 iOS, 5 web, 6 mobile web, 7 mini program (Device).',
      mic_count: 'Times on the microphone (PerMemberMicCount).',
      message_count: 'Messages sent (PerMemberMessageCount).',
      role: '0 student, 1 teacher, 2 assistant, 3 supervisor (Role).',
      group_id: 'Class group (GroupId).',
      sub_group_ids: 'Sub-groups (SubGroupId).',
      stage: 'Whether the member was on stage: 0 no, 1 yes (Stage).',
      current_state:
        '0 not arrived, 1 online, 2 offline, 3 kicked, 4 kicked for good, 5 dropped for now (CurrentState).',
      extra:
        'Fields LCIC sent that have no column of their own, and values that did not fit theirs, by their API names.',
      archived_at: 'When this member was first archived.',
      changed_at: 'When this row last changed.',
      removed_at: 'When a complete and confirmed re-read no longer had this member; null for all others.',
    },
  },
  raw_pages: {
    about: 'One row a page of statistics, as LCIC sent it: what rooms and member_records can be rebuilt from.',
    columns: {
      room_id: 'LCIC room id.',
      attempt: 'The attempt that pulled this page (runs.attempt).',
      page: 'Page number, from 1.',
      request_id: 'RequestId of the answer.',
      body: 'The answer, character by character; null where it says the same as an earlier attempt (same_as_attempt).',
      records:
        'The member records made loadable, where those in body are not as they are (unknown fields, odd values); else null.',
      same_as_attempt: 'The attempt whose page of this number has the body; null where this row has it itself.',
      figures:
        "What the answer says of the room as a whole, in the API's names; pages of one snapshot must agree on it.",
      record_count: 'Number of member records on this page.',
      content_hash: 'SHA-256 of the answer, its RequestId left out.',
      fetched_at: 'When the answer arrived.',
    },
  },
  runs: {
    about: 'One row an attempt at a room: what was asked, what came of it. Never changed once finished.',
    columns: {
      room_id: 'LCIC room id.',
      attempt: 'Number of the attempt at this room, from 1.',
      started_at: 'When the attempt started.',
      finished_at: 'When it ended; null while under way.',
      outcome:
        'archived; unchanged; shrunk or emptied (the re-read lacked members, the archive was kept); inconsistent (pages contradicted each other); interrupted (died or stopped, its pages are taken over); or the class of the failure.',
      error_code: 'Code of the failure, as LCIC named it or as this program names it.',
      error_message: 'What the outcome means, in words.',
      request_ids: 'RequestIds of the answers of this attempt, failures included.',
      pages: 'Pages this attempt had landed at its end, taken-over ones included.',
      records: 'Member records on these pages.',
      inserted: 'Member rows inserted.',
      updated: 'Member rows updated because their content changed.',
      removed: 'Member rows marked as removed.',
      duplicates: 'Records left out because the source kept listing a user more than once.',
      content_hash: 'SHA-256 over the pages, RequestIds left out; of the sorted records where a user was listed twice.',
    },
  },
  callbacks: {
    about: 'One row an accepted callback from LCIC.',
    columns: {
      callback_id: 'Number of the callback.',
      received_at: 'When it arrived.',
      event_type: 'What it announces (EventType), for example RoomEnd.',
      room_id: 'The room it names, if any.',
      body: 'The callback as it came.',
    },
  },
  budgets: {
    about: 'The request budgets all instances share. Unlogged: empty after a crash, and made anew by the next request.',
    columns: {
      budget: 'API action, endpoint, region and credential the limit counts for.',
      next_slot_at: 'When the next request may be sent.',
    },
  },
  migrations: {
    about: 'Migrations applied to this database.',
    columns: { name: 'Name of the migration.', timestamp: 'When it was applied (ISO 8601).' },
  },
  migrations_lock: {
    about: 'Keeps two migrators from working at once.',
    columns: { id: 'Always migration_lock.', is_locked: 'Not used on PostgreSQL, where an advisory lock serves.' },
  },
}
