import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { type Kysely, sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { askDuckDb } from './ask-duckdb'
import { type ExportCost, type ExportTask, runExport, startExport } from './run-export'
import { serverCpuMs } from './server-cpu'

const MEMBERS_PER_ROOM = 30

/**
 * What the export of an archive costs that is a year old: rows a second, bytes a row, the most memory; that a second
 * export writes nothing; and what is in place when one is killed in the middle.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '10000000' } } })
  const rooms = Math.ceil(Number(values.rows) / MEMBERS_PER_ROOM)
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const settings = { max_wal_size: '8GB', synchronous_commit: 'off', shared_buffers: '1GB' }
  const database = await openEmbeddedDatabase({ directory, settings })
  try {
    process.stderr.write(`${rooms * MEMBERS_PER_ROOM} members of ${rooms} rooms …\n`)
    const db = connect({ url: database.url, max: 1 })
    await fill(db, rooms)
    const out = join(directory, 'export')
    const cpuMs = () => serverCpuMs(database.dataDirectory).then((ms) => ms ?? Number.NaN)

    process.stderr.write('export …\n')
    const first = await runExport({ url: database.url, out, cpuMs })
    const [viewSum] = (
      await sql<{ rows: bigint; seconds: bigint }>`
        select count(*) as rows, sum(present_seconds) as seconds from analytics.fact_attendance`.execute(db)
    ).rows
    const fileSum = await askDuckDb(
      `select count(*) as rows, sum(present_seconds)::bigint as seconds from '${out}/fact_attendance/*/*.parquet'`,
    )
    if (viewSum?.rows !== fileSum.rows || viewSum?.seconds !== fileSum.seconds)
      throw new Error('The files are not what the view is.')

    process.stderr.write('once more …\n')
    const second = await runExport({ url: database.url, out, cpuMs })
    process.stderr.write('killed in the middle …\n')
    const killed = await killOne({ url: database.url, out: join(directory, 'killed') })
    const completed = await runExport({ url: database.url, out: join(directory, 'killed'), cpuMs })
    process.stdout.write(`${report(first, second)}\n`)
    process.stdout.write(
      `Killed: ${killed.whole} files in place, all of which DuckDB reads, and ${killed.unfinished} unfinished under another name. ` +
        `The next run wrote the ${completed.files} others; then there were ${await askDuckDb(`select count(*) as rows from '${join(directory, 'killed')}/fact_attendance/*/*.parquet'`).then(({ rows }) => rows)} rows and ${await unfinishedIn(join(directory, 'killed'))} unfinished files.\n`,
    )
    await db.destroy()
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** A year of classes of several apps and courses, with absentees, staff, and what LCIC leaves out now and then. */
async function fill(db: Kysely<Database>, rooms: number): Promise<void> {
  await migrateUp(db)
  await sql`
    insert into archive.member_records (
      room_id, user_id, user_name, present_seconds, camera, mic, silence, answer_questions, hand_ups, first_join_at,
      last_quit_at, rewards, ip_address, location, device, mic_count, message_count, role, group_id, sub_group_ids, stage,
      current_state, extra, archived_at, changed_at)
    select 400000000 + r,
      case when m = 1 then 'teacher_' || r % 200 when m % 40 = 7 then '学生_😀_' else 'student_' end || (r * 7 + m * 131) % 500000,
      'Name ' || m, case when absent then 0 else 600 + (random() * 2400)::int end, (random() * 1.2)::int,
      (random() * 1.2)::int, 0, case when random() < 0.8 then (random() * 5)::int end, (random() * 4)::int,
      case when not absent then s + random() * interval '15 minutes' end,
      case when not absent then s + interval '50 minutes' - random() * interval '12 minutes' end,
      (random() * 3)::int, '10.0.0.1', '北京', case when absent then 0 else 1 + m % 7 end, (random() * 3)::int,
      (random() * 20)::int, case when m = 1 then 1 when m = 2 and r % 10 = 0 then 2 when r % 50 <> 0 then 0 end,
      case when m > 1 then 'class-' || r % 300 end, case when m % 10 = 0 then array['a', 'b' || m] end,
      0, case when absent then 0 else 2 end, '{}', s + interval '2 hours', s + interval '2 hours'
    from (
      select r, m, timestamptz '2025-01-01 00:00Z' + r * (interval '365 days' / ${rooms}::int) as s,
        m > 1 and random() < 0.1 as absent
      from generate_series(1, ${rooms}::int) as r, generate_series(1, ${MEMBERS_PER_ROOM}::int) as m
    ) as members`.execute(db)
  await sql`
    insert into archive.rooms (
      room_id, sdk_app_id, name, teacher_id, room_type, scheduled_start_at, scheduled_end_at, real_start_at, real_end_at,
      peak_member_number, member_number, total, message_count, mic_count, extra, revision, attempt, content_hash,
      archived_at, changed_at)
    select 400000000 + r, 1400000001 + r % 2,
      case when r % 1000 = 0 then null when r % 3 = 0 then '数学 第' || r % 40 || '讲 🧮' else 'Physics ' || r % 60 || ' — lesson ' || r % 40 end,
      'teacher_' || r % 200, r % 4, s, s + interval '50 minutes', case when r % 500 <> 0 then s end,
      case when r % 500 <> 0 then s + interval '50 minutes' end, 25, 24, 30, 100, 20, '{}', 1, 1, md5(r::text),
      s + interval '2 hours', s + interval '2 hours'
    from (
      select r, timestamptz '2025-01-01 00:00Z' + r * (interval '365 days' / ${rooms}::int) as s
      from generate_series(1, ${rooms}::int) as r
    ) as rooms`.execute(db)
  await sql`vacuum analyze archive.member_records, archive.rooms, archive.settings`.execute(db)
  await sql`checkpoint`.execute(db)
}

/** Once some files are in place, and others are not. */
async function killOne(task: ExportTask) {
  const child = startExport(task)
  const ended = once(child, 'close')
  const inPlace = () => readdir(task.out, { recursive: true }).catch((): string[] => [])
  while (child.exitCode === null && (await inPlace()).filter((name) => name.endsWith('.parquet')).length < 5)
    await delay(20)
  child.kill('SIGKILL')
  await ended
  const files = (await readdir(task.out, { recursive: true })).filter((name) => name.endsWith('.parquet'))
  // Every value of each.
  for (const file of files) await askDuckDb(`select count(columns(*)) from '${join(task.out, file)}'`)
  return { whole: files.length, unfinished: await unfinishedIn(task.out) }
}

async function unfinishedIn(directory: string): Promise<number> {
  return (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.tmp')).length
}

function report(first: ExportCost, second: ExportCost): string {
  const table = new Table({
    head: ['', 'files', 'rows', 's', 'rows/s', 'bytes/row', 'peak RSS MB', 'CPU s', 'server CPU s'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const [name, { files, rows, bytes, wallMs, peakRssBytes, cpuMs, serverCpuMs }] of [
    ['all', first],
    ['nothing changed', second],
  ] as const) {
    const rate = rows > 0 ? Math.round((rows / wallMs) * 1000).toLocaleString('en') : '–'
    const perRow = rows > 0 ? (bytes / rows).toFixed(1) : '–'
    const memory = (peakRssBytes / 1024 ** 2).toFixed(0)
    table.push([
      name,
      files,
      rows.toLocaleString('en'),
      (wallMs / 1000).toFixed(1),
      rate,
      perRow,
      memory,
      (cpuMs / 1000).toFixed(1),
      (serverCpuMs / 1000).toFixed(1),
    ])
  }
  return table.toString()
}

void main()
