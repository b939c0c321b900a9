import { type Insertable, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { v20220817 } from 'tencentcloud-sdk-nodejs/tencentcloud/services/lcic/v20220817'
import type {
  DescribeRoomStatisticsResponse,
  MemberRecord,
} from 'tencentcloud-sdk-nodejs/tencentcloud/services/lcic/v20220817/lcic_models'
import { PAGE_LIMIT } from '../../lib/lcic/client'
import { countStatements } from './count-statements'
import { runMeasured } from './measured'
import type { LoadTask } from './steps'

/**
 * What somebody who knows the field would write in an afternoon: the SDK in a loop, and each page into the table by one
 * `insert … on conflict do update`, or row by row. It records no runs, keeps no pages, proves nothing, and shows rooms while
 * they are half there.
 */
runMeasured(
  async ({ databaseUrl, endpoint, credentials, roomIds, writes = 'pages', roomsAtOnce = 1 }: LoadTask, measure) => {
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: databaseUrl }) }),
    })
    const { protocol, host } = new URL(endpoint)
    const client = new v20220817.Client({
      credential: { secretId: credentials.secretId, secretKey: credentials.secretKey },
      profile: { httpProfile: { protocol: `${protocol}//`, endpoint: host } },
    })
    const statements = countStatements()
    let rows = 0

    async function load(roomId: number): Promise<void> {
      for (let page = 1, records = 0; ; page++) {
        const answer = await client.DescribeRoomStatistics({ RoomId: roomId, Page: page, Limit: PAGE_LIMIT })
        const members = (answer.MemberRecords ?? []).map((record) => memberOf(roomId, record))
        if (writes === 'pages' && members.length > 0) await upsert(members)
        if (writes === 'rows') for (const member of members) await upsert([member])
        records += members.length
        if (records < (answer.Total ?? 0) && members.length > 0) continue
        await upsertRoom(roomId, answer)
        rows += records
        return
      }
    }

    async function upsert(members: Insertable<MemberRow>[]): Promise<void> {
      await db
        .insertInto('script.member_records')
        .values(members)
        .onConflict((conflict) =>
          conflict.columns(['room_id', 'user_id']).doUpdateSet((eb) => ({
            user_name: eb.ref('excluded.user_name'),
            present_seconds: eb.ref('excluded.present_seconds'),
            camera: eb.ref('excluded.camera'),
            mic: eb.ref('excluded.mic'),
            silence: eb.ref('excluded.silence'),
            answer_questions: eb.ref('excluded.answer_questions'),
            hand_ups: eb.ref('excluded.hand_ups'),
            first_join_at: eb.ref('excluded.first_join_at'),
            last_quit_at: eb.ref('excluded.last_quit_at'),
            rewards: eb.ref('excluded.rewards'),
            ip_address: eb.ref('excluded.ip_address'),
            location: eb.ref('excluded.location'),
            device: eb.ref('excluded.device'),
            mic_count: eb.ref('excluded.mic_count'),
            message_count: eb.ref('excluded.message_count'),
            role: eb.ref('excluded.role'),
            group_id: eb.ref('excluded.group_id'),
            sub_group_ids: eb.ref('excluded.sub_group_ids'),
            stage: eb.ref('excluded.stage'),
            current_state: eb.ref('excluded.current_state'),
          })),
        )
        .execute()
    }

    async function upsertRoom(roomId: number, answer: DescribeRoomStatisticsResponse): Promise<void> {
      const facts = {
        total: answer.Total ?? null,
        peak_member_number: answer.PeakMemberNumber ?? null,
        member_number: answer.MemberNumber ?? null,
        real_start_at: momentOf(answer.RealStartTime),
        real_end_at: momentOf(answer.RealEndTime),
        message_count: answer.MessageCount ?? null,
        mic_count: answer.MicCount ?? null,
      }
      await db
        .insertInto('script.rooms')
        .values({ room_id: roomId, ...facts })
        .onConflict((conflict) => conflict.column('room_id').doUpdateSet(facts))
        .execute()
    }

    const queue = roomIds.values()
    async function work(): Promise<void> {
      for (const roomId of queue) await load(Number(roomId))
    }
    const { result: _, ...cost } = await measure(() => Promise.all(Array.from({ length: roomsAtOnce }, work)))
    await db.destroy()
    return { ...cost, rows, statements: statements() }
  },
)

function memberOf(roomId: number, record: MemberRecord): Insertable<MemberRow> {
  return {
    room_id: roomId,
    user_id: record.UserId ?? '',
    user_name: record.UserName ?? null,
    present_seconds: record.PresentTime ?? null,
    camera: record.Camera ?? null,
    mic: record.Mic ?? null,
    silence: record.Silence ?? null,
    answer_questions: record.AnswerQuestions ?? null,
    hand_ups: record.HandUps ?? null,
    first_join_at: momentOf(record.FirstJoinTimestamp),
    last_quit_at: momentOf(record.LastQuitTimestamp),
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
  }
}

function momentOf(seconds: number | null | undefined): Date | null {
  return seconds ? new Date(seconds * 1000) : null
}

interface MemberRow {
  room_id: number
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
}

interface Tables {
  'script.member_records': MemberRow
  'script.rooms': {
    room_id: number
    total: number | null
    peak_member_number: number | null
    member_number: number | null
    real_start_at: Date | null
    real_end_at: Date | null
    message_count: number | null
    mic_count: number | null
  }
}
