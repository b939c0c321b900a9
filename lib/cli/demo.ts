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
  npx lcic-archive report --from 7d   # for teachers: one HTML file; DATA-DICTIONARY.md is for analysts
That fills the embedded database; for one of your own, first
  export DATABASE_URL=postgres://user:password@host/lcic && npx lcic-archive migrate`)
  } finally {
    await embedded.close()
  }
}

const question =
  'select attendance_status_label, count(*), round(avg(present_seconds) / 60) as minutes, sum(hand_ups) as hands from analytics.fact_attendance where is_student group by 1 order by 2 desc'

async function showClasses(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<ClassRow>`
    select room_id, course, to_char(started_at_local, 'HH24:MI') as began, round(length_seconds / 60.0)::int as minutes,
      expected::int, attended::int, no_show::int, late::int, round(attendance_rate * 100)::int as percent
    from analytics.fact_room_session
    order by started_at, room_id`.execute(db)
  print('\nWhat an analyst sees, in schema analytics. The classes (fact_room_session):\n')
  print(
    table(rows.slice(0, 12), [
      { title: 'room', value: ({ room_id }) => room_id, align: 'right' },
      { title: 'course', value: ({ course }) => printable(course) },
      { title: 'began', value: ({ began }) => began },
      { title: 'minutes', value: ({ minutes }) => minutes, align: 'right' },
      { title: 'expected', value: ({ expected }) => expected, align: 'right' },
      { title: 'attended', value: ({ attended }) => attended, align: 'right' },
      { title: 'absent', value: ({ no_show }) => no_show, align: 'right' },
      { title: 'late', value: ({ late }) => late, align: 'right' },
      { title: '%', value: ({ percent }) => percent, align: 'right' },
    ]),
  )
  if (rows.length > 12) print(`… and ${rows.length - 12} more`)
}

interface ClassRow {
  readonly room_id: bigint
  readonly course: string
  readonly began: string
  readonly minutes: number
  readonly expected: number
  readonly attended: number
  readonly no_show: number | null
  readonly late: number
  readonly percent: number | null
}

async function showAttendance(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<MemberRow>`
    select a.room_id, p.user_name, a.role_label, to_char(a.first_join_at_local, 'HH24:MI') as joined,
      to_char(a.last_quit_at_local, 'HH24:MI') as quit, round(a.present_seconds / 60.0)::int as minutes,
      a.attendance_status_label as status, round(a.engagement_score::numeric, 1)::text as engagement
    from analytics.fact_attendance a
    join analytics_pii.attendance p using (room_id, user_id)
    where a.room_id = (
      select room_id from analytics.fact_room_session
      where roster_known and expected between 15 and 40 order by started_at limit 1)
    order by a.is_student, a.role, a.first_join_at nulls last, a.user_id`.execute(db)
  print(
    `\nWho attended room ${rows[0]?.room_id} (fact_attendance; names are in analytics_pii, which is granted apart):\n`,
  )
  print(
    table(rows.slice(0, 14), [
      { title: 'name', value: ({ user_name }) => printable(user_name) },
      { title: 'role', value: ({ role_label }) => role_label },
      { title: 'joined', value: ({ joined }) => joined },
      { title: 'quit', value: ({ quit }) => quit },
      { title: 'minutes', value: ({ minutes }) => minutes, align: 'right' },
      { title: 'status', value: ({ status }) => status },
      { title: 'engagement', value: ({ engagement }) => engagement, align: 'right' },
    ]),
  )
  if (rows.length > 14) print(`… and ${rows.length - 14} more`)
}

interface MemberRow {
  readonly room_id: bigint
  readonly user_name: string | null
  readonly role_label: string
  readonly joined: string | null
  readonly quit: string | null
  readonly minutes: number | null
  readonly status: string | null
  readonly engagement: string | null
}
