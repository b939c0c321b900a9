import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import Table from 'cli-table3'
import { z } from 'zod'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { generateSchool, startSimulator } from '../../lib/simulator'

const DAY_MS = 86_400_000

/** What `backfill --plan` says of a month at a school, and of three days of it, beside what these then really take. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rooms: { type: 'string', default: '20000' }, days: { type: 'string', default: '3' } },
  })
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory })
  const from = Math.floor(Date.now() / DAY_MS - 32) * DAY_MS
  const school = generateSchool({ seed: 1, rooms: Number(values.rooms), from, days: 30 })
  const simulator = await startSimulator({ school, frozen: true, latencyMs: { min: 20, max: 80 } })
  const db = connect({ url: database.url, max: 1 })
  await migrateUp(db)
  await db.destroy()

  async function backfill(days: number, ...options: string[]): Promise<unknown> {
    const span = ['--from', new Date(from).toISOString(), '--to', new Date(from + days * DAY_MS).toISOString()]
    const args = [join(process.cwd(), 'dist', 'lcic-archive.cjs'), 'backfill', ...span, '--json', ...options]
    const { endpoint, credentials } = simulator
    const env = {
      PATH: process.env.PATH,
      DATABASE_URL: database.url,
      LCIC_ENDPOINT: endpoint,
      LCIC_SDK_APP_IDS: String(school.sdkAppId),
      LOG_LEVEL: 'error',
      TENCENTCLOUD_SECRET_ID: credentials.secretId,
      TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    }
    process.stderr.write(`backfill of ${days} days ${options.join(' ')} …\n`)
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 1 << 26 })
    return JSON.parse(stdout)
  }

  try {
    const month = planSchema.parse(await backfill(30, '--plan'))
    const part = planSchema.parse(await backfill(Number(values.days), '--plan'))
    const taken = takenSchema.parse(await backfill(Number(values.days)))
    const minutes = taken.duration_ms / 60_000
    const table = new Table({
      head: ['', 'rooms', 'requests', 'minutes', 'planned / taken'],
      colAligns: ['left', 'right', 'right', 'right', 'right'],
      style: { head: [], border: [], compact: true },
    })
    table.push(['the month, planned', month.rooms, month.requests, month.minutes.toFixed(2), ''])
    table.push([`${values.days} days, planned`, part.rooms, part.requests, part.minutes.toFixed(2), ''])
    const ratio = (part.minutes / minutes).toFixed(3)
    const requests = simulator.requests.length
    table.push([`${values.days} days, taken`, taken.archived, taken.requests, minutes.toFixed(2), ratio])
    process.stdout.write(`${table}\n${requests} requests in all, plans included.\n`)
  } finally {
    await simulator.close()
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

const planSchema = z.object({ rooms: z.number(), requests: z.number(), minutes: z.number() })
const takenSchema = z.object({ archived: z.number(), requests: z.number(), duration_ms: z.number() })

void main()
