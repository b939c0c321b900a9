import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { openEmbeddedDatabase } from '../../lib/embedded'
import type { Archive } from './archive-cost'
import { askAll } from './ask-questions'
import { checkSample } from './check-sample'
import { resetArchive } from './contestants'
import { fillArchive, schoolOf } from './large-archive'
import { CLAIM_LIMIT, measureClaim } from './measure-claim'
import { askParquet } from './parquet-questions'
import { type Partitioning, partitionMembers, readPartitioning } from './partition-members'
import { jsonReport, misses, type ScaleResult, textReport } from './scale-report'
import { compareArchiving, type ScaleRooms, scaleRooms } from './scale-rooms'
import { serverCpuMs } from './server-cpu'
import { tableSizes, vacuumAll } from './table-sizes'

const usage = `npm run bench:scale -- [--rooms 1000000] [--rounds 10] [--runs 3] [--partition range:16] [--parquet] [--plan] [--json]

What a large archive costs, beside an empty one on the same server: archiving one more room and reading one again, claiming
rooms, vacuum, bytes, and what dashboards ask. A million rooms have 30 million member records, and take 25 GB on the disk.

--rooms      of the large archive, of 10 to 50 members, 30 on average, over two years
--rounds     how often 200 new rooms of 30 members and 20 of 1,000 are archived, and 200 in the middle read again
--runs       how often each question is asked; medians are printed
--partition  spreads the member records of the large archive over so many tables, by ranges of room ids (range:16) or by
             their hash (hash:16)
--parquet    exports the large archive, too, and asks DuckDB
--plan       prints the plans of the questions

It ends with 1 if archiving a room takes more than 1.3 times the time or the CPU that it takes in an empty archive, or if an
answer about less than the whole school reads all member records.
`

/** PostgreSQL's own, fsync included, with the memory of a small server. Vacuum and checkpoints come when they are measured. */
const serverSettings = { shared_buffers: '512MB', max_wal_size: '16GB', checkpoint_timeout: '1h', autovacuum: 'off' }

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rooms: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '10' },
      runs: { type: 'string', default: '3' },
      partition: { type: 'string' },
      parquet: { type: 'boolean', default: false },
      plan: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return
  }
  const result = await measure({
    rooms: Number(values.rooms),
    rounds: Number(values.rounds),
    runs: Number(values.runs),
    partitioning: values.partition === undefined ? undefined : readPartitioning(values.partition),
    parquet: values.parquet,
  })
  process.stdout.write(values.json ? jsonReport(result) : textReport(result, values.plan))
  process.exitCode = misses(result).length > 0 ? 1 : 0
}

interface Options {
  readonly rooms: number
  readonly rounds: number
  readonly runs: number
  readonly partitioning: Partitioning | undefined
  readonly parquet: boolean
}

async function measure(options: Options): Promise<ScaleResult> {
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory, settings: serverSettings })
  const { students } = schoolOf(options.rooms)
  const source = await scaleRooms({ students, rounds: options.rounds })
  const archives: Opened[] = []
  try {
    for (const name of ['large', 'empty'] as const) archives.push(await createArchive(database, name))
    const [large, empty] = archives
    if (!large || !empty) throw new Error('There are two archives.')
    return await compare({ large, empty, source, out: join(directory, 'export') }, options)
  } finally {
    await source.close()
    for (const { db, admin } of archives) {
      await admin.end()
      await db.destroy()
    }
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

interface Opened extends Archive {
  readonly db: Kysely<Database>
}

async function createArchive({ url, dataDirectory }: Omit<Archive, 'admin'>, name: string): Promise<Opened> {
  const server = connect({ url, max: 1 })
  await sql`create database ${sql.id(name)}`.execute(server)
  await server.destroy()
  const own = new URL(url)
  own.pathname = `/${name}`
  const db = connect({ url: own.toString(), max: 1 })
  await migrateUp(db)
  const admin = new pg.Client(own.toString())
  await admin.connect()
  return { url: own.toString(), dataDirectory, db, admin }
}

interface Place {
  readonly large: Opened
  readonly empty: Opened
  readonly source: ScaleRooms
  readonly out: string
}

async function compare({ large, empty, source, out }: Place, options: Options): Promise<ScaleResult> {
  const { rooms, rounds, runs, partitioning, parquet } = options
  if (partitioning) await partitionMembers(large.db, partitioning, rooms)
  const begin = performance.now()
  await fill({ large, source }, rooms)
  const fillSeconds = (performance.now() - begin) / 1000
  progress('vacuum …')
  const first = await vacuumAll(large.admin)
  const sizes = await tableSizes(large.admin)
  progress('a sample is rebuilt from its raw pages …')
  const checked = await checkSample(large.db)
  progress('claims …')
  const claims = await measureClaims({ large, empty })
  const archiving = await compareArchiving({ large, empty, source, rounds, progress, reset: resetArchive })
  progress('vacuum again …')
  const afterRounds = await vacuumAll(large.admin)
  progress('questions …')
  const answers = await askAll(large.db, large.url, { runs, about: ['week', 'course', 'student', 'room'] })
  const files = parquet ? await askFiles({ large, out, runs }) : undefined
  progress('vacuum of changed members …')
  await large.admin.query('update archive.member_records set hand_ups = hand_ups + 1 where room_id % 1000 = 7')
  const begun = performance.now()
  await large.admin.query('vacuum (index_cleanup on) archive.member_records')
  const changed = { member_records: (performance.now() - begun) / 1000 }
  return {
    rooms: sizes.find(({ table }) => table === 'rooms')?.rows ?? 0,
    partitioning,
    fillSeconds,
    checked,
    sizes,
    vacuum: { first, afterRounds, changed },
    claims,
    archiving,
    answers,
    ...(files && { parquet: files }),
  }
}

async function fill({ large, source }: Pick<Place, 'large' | 'source'>, rooms: number): Promise<void> {
  const begin = performance.now()
  let told = 0
  const end = await fillArchive({
    url: large.url,
    rooms,
    onProgress(done) {
      if (done - told < rooms / 20) return
      told = done
      const seconds = (performance.now() - begin) / 1000
      progress(`${done.toLocaleString('en')} of ${rooms.toLocaleString('en')} rooms, ${seconds.toFixed(0)} s`)
    },
    async onHalf(firstFreeId) {
      progress('rooms in the middle …')
      await source.archiveMiddle(large, firstFreeId)
    },
  })
  await source.addNew(end)
}

/** As many rooms are due in both, scattered over the ids that jobs without statistics have. */
async function measureClaims({ large, empty }: Pick<Place, 'large' | 'empty'>): Promise<ScaleResult['claims']> {
  const times = { large: [] as number[], empty: [] as number[] }
  const archives = { large, empty }
  for (const { admin } of Object.values(archives)) {
    await admin.query(`
      insert into archive.jobs (room_id, state, waits, due_at, deadline_at, hinted_by)
      select 500000000 + n * 7, 'pending', false, now() - random() * interval '1 hour', now() + random() * interval '180 days', 'sweep'
      from generate_series(1, 500) as n order by random()`)
    await admin.query('vacuum analyze archive.jobs')
  }
  for (let claim = -20; claim < 200; claim++) {
    for (const name of ['large', 'empty'] as const) {
      const ms = await measureClaim(archives[name].db)
      // The first ones fill caches.
      if (claim >= 0) times[name].push(ms)
    }
  }
  for (const { admin } of Object.values(archives)) {
    await admin.query('delete from archive.jobs where room_id > 500000000')
    await admin.query('vacuum archive.jobs')
  }
  return { ...times, rooms: CLAIM_LIMIT }
}

async function askFiles({ large, out, runs }: { large: Opened; out: string; runs: number }) {
  progress('Parquet …')
  const { rows } = await large.admin.query<{ week: string }>(
    `select (date_trunc('week', max(start_date)::timestamp) - interval '52 weeks')::date::text as week from archive.rooms`,
  )
  const cpuMs = () => serverCpuMs(large.dataDirectory).then((ms) => ms ?? Number.NaN)
  return askParquet({ url: large.url, out, cpuMs }, { week: rows[0]?.week ?? '', runs })
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}

void main()
