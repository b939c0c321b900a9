import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { sql } from 'kysely'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { type Platform, startPlatform } from '../support/platform'
import type { Source, SourceState } from './steps'

/**
 * The memory that `archive-rooms` takes, as it is shipped, while it archives a large room, reads it once more, and reads it
 * with fields that nobody knows: each time in a new instance. And the same where V8 is left alone (see small-heap.ts).
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      members: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const platform = await startPlatform({ directory: join(__dirname, '..', '..', '..') })
  try {
    const [members, rounds] = [Number(values.members), Number(values.rounds)]
    const costs = await measure(platform, { directory, members, rounds })
    process.stdout.write(values.json ? `${JSON.stringify(costs)}\n` : `${tableOf(costs)}\n`)
  } finally {
    await platform.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

const modes = ['as shipped', 'V8 left alone'] as const
type Mode = (typeof modes)[number]

interface Cost {
  readonly mode: Mode
  readonly step: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRssMb: number
}

async function measure(
  platform: Platform,
  { directory, members, rounds }: { directory: string; members: number; rounds: number },
): Promise<Cost[]> {
  const database = await openEmbeddedDatabase({ directory, settings: { shared_buffers: '512MB', max_wal_size: '8GB' } })
  const sourceProcess = fork(join(__dirname, 'source-process.cjs'), [JSON.stringify({ rooms: 1, members })])
  const db = connect({ url: database.url, max: 1 })
  const costs: Cost[] = []
  const alone = join(directory, 'alone.cjs')
  await writeFile(alone, "require('node:v8').setFlagsFromString = () => undefined")
  try {
    const [source]: Source[] = await once(sourceProcess, 'message')
    if (!source) throw new Error('The source did not start.')
    await migrateUp(db)

    const become = async (state: SourceState) => {
      sourceProcess.send(state)
      await once(sourceProcess, 'message')
    }
    const archive = async (step: string, mode: Mode) => {
      const environment = environmentOf(database.url, source)
      const flags = mode === 'as shipped' ? [] : ['--require', alone]
      const instance = await platform.start('archive-rooms', { environment, flags })
      const event = { RoomIds: source.roomIds }
      const { answer, error, durationMs, cpuMs, peakRssBytes } = await instance.invoke(event, { timeLimitMs: 120_000 })
      await instance.kill()
      if (!JSON.stringify(answer)?.includes(`"records":${members}`)) throw new Error(error ?? JSON.stringify(answer))
      const megabytes = peakRssBytes / 1024 / 1024
      costs.push({ mode, step, seconds: durationMs / 1000, cpuSeconds: cpuMs / 1000, peakRssMb: megabytes })
    }

    // Nothing of the first time counts: pages are yet to be encoded, and the server's files are new.
    for (let round = 0; round <= rounds; round++) {
      for (const mode of modes) {
        await sql`truncate archive.jobs, archive.rooms, archive.member_records, archive.raw_pages, archive.runs`.execute(
          db,
        )
        await become('documented')
        await archive('first', mode)
        await archive('unchanged', mode)
        await become('undocumented')
        await archive('other fields', mode)
      }
      if (round === 0) costs.length = 0
    }
    return costs
  } finally {
    sourceProcess.kill()
    await db.destroy()
    await database.close()
  }
}

function environmentOf(databaseUrl: string, { endpoint, credentials }: Source): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    LCIC_ENDPOINT: endpoint,
    LCIC_REQUESTS_PER_SECOND: '100000',
    TENCENTCLOUD_SECRETID: credentials.secretId,
    TENCENTCLOUD_SECRETKEY: credentials.secretKey,
    LOG_LEVEL: 'error',
  }
}

function tableOf(costs: readonly Cost[]): string {
  const table = new Table({
    head: ['', 'step', 's', 'CPU s', 'peak RSS MB', 'of all rounds'],
    style: { head: [] },
  })
  const groups = grouped(costs)
  for (const group of groups.values()) {
    const [first] = group
    const median = (of: (cost: Cost) => number) => group.map(of).sort((a, b) => a - b)[group.length >> 1] ?? 0
    const all = group.map(({ peakRssMb }) => peakRssMb.toFixed(0)).join(' ')
    table.push([
      first?.mode ?? '',
      first?.step ?? '',
      median(({ seconds }) => seconds).toFixed(2),
      median(({ cpuSeconds }) => cpuSeconds).toFixed(2),
      median(({ peakRssMb }) => peakRssMb).toFixed(0),
      all,
    ])
  }
  return table.toString()
}

function grouped(costs: readonly Cost[]): Map<string, Cost[]> {
  const groups = new Map<string, Cost[]>()
  for (const cost of costs) {
    const name = `${cost.mode} ${cost.step}`
    groups.set(name, [...(groups.get(name) ?? []), cost])
  }
  return groups
}

void main()
