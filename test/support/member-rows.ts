import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'
import type { SimulatedRecord } from '../../lib/simulator'

/** The columns of member_records that come from the source, in the order of the table. */
const columns = [
  'user_id',
  'user_name',
  'present_seconds',
  'camera',
  'mic',
  'silence',
  'answer_questions',
  'hand_ups',
  'first_join_at',
  'last_quit_at',
  'rewards',
  'ip_address',
  'location',
  'device',
  'mic_count',
  'message_count',
  'role',
  'group_id',
  'sub_group_ids',
  'stage',
  'current_state',
  'extra',
] as const

export type MemberRow = Record<(typeof columns)[number], unknown>

const known = new Set([
  ...['UserId', 'UserName', 'PresentTime', 'Camera', 'Mic', 'Silence', 'AnswerQuestions', 'HandUps'],
  ...['FirstJoinTimestamp', 'LastQuitTimestamp', 'Rewords', 'IPAddress', 'Location', 'Device', 'PerMemberMicCount'],
  ...['PerMemberMessageCount', 'Role', 'GroupId', 'SubGroupId', 'Stage', 'CurrentState'],
])

/**
 * What the table must hold of an ordinary record. Written apart from the product's own mapping, so that an error in the
 * one is not repeated in the other.
 */
export function expectedMember(record: SimulatedRecord): MemberRow {
  const time = (seconds: number | null | undefined) => (seconds ? new Date(seconds * 1000).toISOString() : null)
  return {
    user_id: record.UserId,
    user_name: record.UserName?.replaceAll('\0', '\u{FFFD}') ?? null,
    present_seconds: record.PresentTime ?? null,
    camera: record.Camera ?? null,
    mic: record.Mic ?? null,
    silence: record.Silence ?? null,
    answer_questions: record.AnswerQuestions ?? null,
    hand_ups: record.HandUps ?? null,
    first_join_at: time(record.FirstJoinTimestamp),
    last_quit_at: time(record.LastQuitTimestamp),
    rewards: record.Rewords ?? null,
    ip_address: record.IPAddress ?? null,
    location: record.Location ?? null,
    device: record.Device ?? null,
    mic_count: record.PerMemberMicCount ?? null,
    message_count: record.PerMemberMessageCount ?? null,
    role: record.Role ?? null,
    group_id: record.GroupId ?? null,
    sub_group_ids: record.SubGroupId ?? null,
    stage: record.Stage ?? null,
    current_state: record.CurrentState ?? null,
    extra: Object.fromEntries(Object.entries(record).filter(([name]) => !known.has(name))),
  }
}

/** The members the archive has of a room, removed ones left out, by user id. */
export async function archivedMembers(db: Kysely<Database>, roomId: bigint): Promise<Map<string, MemberRow>> {
  const { rows } = await sql<MemberRow & { user_id: string }>`
    select ${sql.join(columns.map((column) => sql.ref(column)))}
    from archive.member_records where room_id = ${roomId} and removed_at is null`.execute(db)
  const iso = (value: unknown) => (value instanceof Date ? value.toISOString() : value)
  return new Map(
    rows.map((row) => [
      row.user_id,
      { ...row, first_join_at: iso(row.first_join_at), last_quit_at: iso(row.last_quit_at) },
    ]),
  )
}
