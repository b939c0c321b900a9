import type { Generated, JSONColumnType } from 'kysely'

/** The states a job can be in; `archive.jobs.state`. */
export type JobState = 'pending' | 'archived' | 'expired' | 'missing' | 'failed'

/** What first named a room; `archive.jobs.hinted_by`. */
export type HintSource = 'callback' | 'sweep' | 'command' | 'event'

/** Columns as node-postgres gives them, with `bigint` for int8. */
export interface JobsTable {
  room_id: bigint
  sdk_app_id: bigint | null
  state: JobState
  due_at: Date | null
  lease_until: Date | null
  leased_by: string | null
  attempts: Generated<number>
  last_error_code: string | null
  last_error_message: string | null
  last_request_id: string | null
  hinted_by: HintSource
  ended_at: Date | null
  archived_at: Date | null
  created_at: Generated<Date>
  updated_at: Generated<Date>
  deadline_at: Generated<Date>
  reason: string | null
  reason_since: Date | null
  failing_since: Date | null
  not_ready_until: Date | null
  last_attempt_at: Date | null
  hinted_at: Date | null
  waits: Generated<boolean>
}

export interface RoomsTable {
  room_id: bigint
  sdk_app_id: bigint | null
  name: string | null
  teacher_id: string | null
  room_type: number | null
  scheduled_start_at: Date | null
  scheduled_end_at: Date | null
  real_start_at: Date | null
  real_end_at: Date | null
  peak_member_number: number | null
  member_number: number | null
  total: number
  message_count: number | null
  mic_count: number | null
  extra: JSONColumnType<Record<string, unknown>>
  revision: number
  attempt: number
  content_hash: string
  archived_at: Date
  changed_at: Date
  erased: Generated<number>
  members_pruned_at: Date | null
  pages_pruned_at: Date | null
}

export interface MemberRecordsTable {
  room_id: bigint
  user_id: string
  user_name: string | null
  present_seconds: number | null
  camera: number | null
  mic: number | null
  silence: number | null
  answer_questions: number | null
  hand_ups: number | null
  first_join_at: Date | null
  last_quit_at: Date | null
  rewards: number | null
  ip_address: string | null
  location: string | null
  device: number | null
  mic_count: number | null
  message_count: number | null
  role: number | null
  group_id: string | null
  sub_group_ids: string[] | null
  stage: number | null
  current_state: number | null
  extra: JSONColumnType<Record<string, unknown>>
  archived_at: Date
  changed_at: Date
  removed_at: Date | null
}

export interface RawPagesTable {
  room_id: bigint
  attempt: number
  page: number
  request_id: string | null
  body: unknown
  records: unknown
  same_as_attempt: number | null
  figures: JSONColumnType<Record<string, unknown>>
  record_count: number
  content_hash: string
  fetched_at: Date
  erased: Generated<number>
}

export interface RunsTable {
  room_id: bigint
  attempt: number
  started_at: Date
  finished_at: Date | null
  outcome: string | null
  error_code: string | null
  error_message: string | null
  request_ids: Generated<string[]>
  pages: Generated<number>
  records: Generated<number>
  inserted: Generated<number>
  updated: Generated<number>
  removed: Generated<number>
  duplicates: Generated<number>
  content_hash: string | null
}

export interface BudgetsTable {
  budget: string
  next_slot_at: Date
  minute: Date | null
  in_minute: Generated<number>
  in_minute_before: Generated<number>
}

export interface KnownRoomsTable {
  room_id: bigint
  sdk_app_id: bigint | null
  status: number | null
  name: string | null
  teacher_id: string | null
  room_type: number | null
  scheduled_start_at: Date | null
  scheduled_end_at: Date | null
  real_start_at: Date | null
  real_end_at: Date | null
  listed_at: Date | null
  changed_at: Date
}

export interface SweepsTable {
  sdk_app_id: bigint
  swept_from: Date | null
  swept_until: Date | null
  started_at: Date
  finished_at: Date | null
  rooms: number | null
  error_message: string | null
}

export interface HistoryTable {
  room_id: bigint
  revision: number
  user_id: string
  replaced_at: Date
  old: JSONColumnType<Record<string, unknown>>
}

/** The schema as Kysely sees it. */
export interface Database {
  'archive.jobs': JobsTable
  'archive.rooms': RoomsTable
  'archive.member_records': MemberRecordsTable
  'archive.raw_pages': RawPagesTable
  'archive.runs': RunsTable
  'archive.budgets': BudgetsTable
  'archive.known_rooms': KnownRoomsTable
  'archive.sweeps': SweepsTable
  'archive.history': HistoryTable
}
