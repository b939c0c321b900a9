import { Command } from 'commander'
import { type Kysely, sql } from 'kysely'
import type { RoomReport } from '../archive/archive-room'
import { describeRooms } from '../archive/describe-rooms'
import { sweep } from '../archive/sweep'
import { work } from '../archive/work'
import { readConfig } from '../config'
import { databaseTime } from '../db/instant'
import { readStatus } from '../db/read-status'
import type { Database } from '../db/tables'
import { type Simulator, schoolDay, simulatorOptions, startSimulator } from '../simulator'
import { createDemoDatabase } from './demo-database'
import { counted, print, printable, table } from './output'
import { showProgress } from './progress'
import { unarchivedRooms, workText } from './run'
import { archiveContext, openEmbedded } from './session'
import { interruption } from './signals'
import { knownSpanOf, printStatus, problemsOf } from './status'

/** Where the simulated answers take as long as real ones from nearby. */
const LATENCY = { min: 20, max: 80 }

export function demoCommand(): Command {
  return new Command('demo')
    .description('archive a simulated school day into the embedded PostgreSQL, and show what an analyst sees')
    .action(async () => {
      print(
        'This archives a day of simulated classes: a stand-in for LCIC runs inside this process, the database is real.',
      )
      const simulator = await startSimulator({ ...simulatorOptions(schoolDay, Date.now()), latencyMs: LATENCY })
      try {
        await archiveSchoolDay(simulator)
      } finally {
        await simulator.close()
      }
    })
}

async function archiveSchoolDay(simulator: Simulator): Promise<void> {
  const embedded = await openEmbedded()
  try {
    await using demo = await createDemoDatabase(embedded)
    const { db } = demo
    const config = readConfig({ LCIC_ENDPOINT: simulator.endpoint, LOG_LEVEL: 'silent' })
    const lcic = { ...config.lcic, credentials: () => simulator.credentials }
    const signal = interruption
    const sdkAppIds = [BigInt(simulator.school.sdkAppId)]
    using sweeping = archiveContext({ ...config, lcic }, db)
    const [swept] = await sweep(sweeping, { sdkAppIds, lookbackMs: config.sweepLookbackMs, signal })
    print(`The sweep found ${counted(swept?.rooms ?? 0, 'room')}, ${swept?.endedRooms.length} of them ended.`)
    print('Archiving them at the 20 requests a second that LCIC allows …\n')

    const startedAt = performance.now()
    const progress = showProgress({ rooms: swept?.newJobs ?? 0 })
    const unarchived = unarchivedRooms()
    using context = archiveContext({ ...config, lcic }, db, progress.observe)
    const onReport = (report: RoomReport) => {
      progress.report(report)
      unarchived.note(report)
    }
    const done = await work(context, { until: 'idle', signal, onReport }).finally(progress.stop)
    signal.throwIfAborted()
    await describeRooms(context, { most: done.archived, patience: { waitMs: 0, signal } })

    print(workText(done, performance.now() - startedAt, unarchived.size()))
    unarchived.print()
    await showClasses(db)
    await showAttendance(db)
    print('\nIs it complete? What `lcic-archive status` says:\n')
    const status = await readStatus(db, { now: databaseTime })
    printStatus(status, problemsOf(status, sdkAppIds), knownSpanOf(status, sdkAppIds))
    print(`
Ask it yourself:
  npx lcic-archive sql --demo "${question}"
or with psql or a BI tool, while \`npx lcic-archive sql --demo\` keeps the database running.

The data are in ${embedded.dataDirectory}, in the database "demo"; each demo makes it anew.
Every answer is kept as it came (archive.raw_pages), every attempt is recorded (archive.runs).

With your own classes:
  export TENCENTCLOUD_SECRET_ID=… TENCENTCLOUD_SECRET_KEY=… LCIC_SDK_APP_IDS=…
  npx lcic-archive sweep && npx lcic-archive run --until-idle
That fills the embedded database; for one of your own, first
  export DATABASE_URL=postgres://user:password@host/lcic && npx lcic-archive migrate`)
  } finally {
    await embedded.close()
  }
}

const question =
  'select role, count(*), round(avg(present_seconds) / 60) as minutes, sum(hand_ups) as hands from archive.member_records group by role order by role'

async function showClasses(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<ClassRow>`
    select r.room_id, to_char(r.real_start_at at time zone 'utc', 'HH24:MI') as began,
      round(extract(epoch from r.real_end_at - r.real_start_at) / 60)::int as minutes,
      count(m.user_id)::int as expected, count(m.first_join_at)::int as came,
      count(*) filter (where m.first_join_at > r.real_start_at + interval '5 minutes')::int as late,
      coalesce(sum(m.hand_ups), 0)::int as hands, r.message_count as messages
    from archive.rooms r
    left join archive.member_records m using (room_id)
    group by r.room_id
    order by r.real_start_at, r.room_id`.execute(db)
  print('\nWhat an analyst sees. The classes:\n')
  print(
    table(rows.slice(0, 12), [
      { title: 'room', value: ({ room_id }) => room_id, align: 'right' },
      { title: 'began (UTC)', value: ({ began }) => began },
      { title: 'minutes', value: ({ minutes }) => minutes, align: 'right' },
      { title: 'expected', value: ({ expected }) => expected, align: 'right' },
      { title: 'came', value: ({ came }) => came, align: 'right' },
      { title: 'late', value: ({ late }) => late, align: 'right' },
      { title: 'hands raised', value: ({ hands }) => hands, align: 'right' },
      { title: 'messages', value: ({ messages }) => messages, align: 'right' },
    ]),
  )
  if (rows.length > 12) print(`… and ${rows.length - 12} more`)
}

interface ClassRow {
  readonly room_id: bigint
  readonly began: string
  readonly minutes: number
  readonly expected: number
  readonly came: number
  readonly late: number
  readonly hands: number
  readonly messages: number
}

async function showAttendance(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<MemberRow>`
    select m.room_id, m.user_name, m.role, to_char(m.first_join_at at time zone 'utc', 'HH24:MI') as joined,
      to_char(m.last_quit_at at time zone 'utc', 'HH24:MI') as quit,
      round(m.present_seconds / 60.0)::int as minutes, m.hand_ups, m.message_count
    from archive.member_records m
    where m.room_id = (select room_id from archive.rooms where total between 15 and 40 order by real_start_at limit 1)
    order by m.role = 1 desc, m.role desc, m.first_join_at nulls last, m.user_id`.execute(db)
  print(`\nWho attended room ${rows[0]?.room_id}:\n`)
  print(
    table(rows.slice(0, 14), [
      { title: 'name', value: ({ user_name }) => printable(user_name) },
      { title: 'role', value: ({ role }) => roles[role ?? 0] ?? role },
      { title: 'joined', value: ({ joined }) => joined ?? 'absent' },
      { title: 'quit', value: ({ quit }) => quit },
      { title: 'minutes', value: ({ minutes }) => minutes, align: 'right' },
      { title: 'hands', value: ({ hand_ups }) => hand_ups, align: 'right' },
      { title: 'messages', value: ({ message_count }) => message_count, align: 'right' },
    ]),
  )
  if (rows.length > 14) print(`… and ${rows.length - 14} more`)
}

interface MemberRow {
  readonly room_id: bigint
  readonly user_name: string | null
  readonly role: number | null
  readonly joined: string | null
  readonly quit: string | null
  readonly minutes: number | null
  readonly hand_ups: number | null
  readonly message_count: number | null
}

const roles = ['student', 'teacher', 'assistant', 'supervisor']
