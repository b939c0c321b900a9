import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { sql } from 'kysely'
import * as z from 'zod'
import { connect } from '../../lib/db/connect'
import { migrateUp } from '../../lib/db/migrate'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { signCallback } from '../../lib/lcic/callback'
import { School, startSimulator } from '../../lib/simulator'
import { type Instance, startPlatform } from '../support/platform'

/**
 * What SCF would bill for a school day: GB-seconds by function, from real invocations of the bundles in processes that are
 * frozen in between, with callbacks, timers, and statistics that are ready some minutes after the end of a class; beside a
 * design in which each callback's function sleeps until they are.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rooms: { type: 'string', default: '200' },
      /** Over which their ends are spread. */
      minutes: { type: 'string', default: '5' },
      'ready-after': { type: 'string', default: '180' },
      sleepers: { type: 'string', default: '20' },
      json: { type: 'boolean', default: false },
    },
  })
  const readyAfterSeconds = Number(values['ready-after'])
  const directory = await mkdtemp(join(tmpdir(), 'lcic-archive-bench-'))
  // The user that PostgreSQL runs as, if we are root, has to come through.
  await chmod(directory, 0o711)
  const database = await openEmbeddedDatabase({ directory })
  const db = connect({ url: database.url, max: 1 })
  await migrateUp(db)
  const school = new School()
  const simulator = await startSimulator({ school, frozen: true, latencyMs: { min: 20, max: 80 } })
  const callbackKey = 'the key of the bench'
  const functions = await openFunctions({
    DATABASE_URL: database.url,
    LCIC_ENDPOINT: simulator.endpoint,
    LCIC_SDK_APP_IDS: String(school.sdkAppId),
    LCIC_CALLBACK_KEY: callbackKey,
    LOG_LEVEL: 'error',
    TENCENTCLOUD_SECRETID: simulator.credentials.secretId,
    TENCENTCLOUD_SECRETKEY: simulator.credentials.secretKey,
  })

  /** A class ends now. */
  function endClass(): bigint {
    const realEndAt = Math.floor(Date.now() / 1000)
    const times = { scheduledEndAt: realEndAt, realEndAt, readyAt: realEndAt + readyAfterSeconds }
    return school.addRoom({ members: 30, ...times }).roomId
  }

  async function callBack(roomId: bigint): Promise<void> {
    const expireTime = Math.floor(Date.now() / 1000) + 600
    const callback = { EventType: 'RoomEnd', SdkAppId: school.sdkAppId, EventData: { RoomId: Number(roomId) } }
    const body = JSON.stringify({ ...callback, ExpireTime: expireTime, Sign: signCallback(callbackKey, expireTime) })
    await functions.invoke('room-ended', { httpMethod: 'POST', path: '/', headers: {}, queryString: {}, body })
  }

  async function countArchived(): Promise<number> {
    const { rows } = await sql<{ rooms: number }>`select count(*)::int as rooms from archive.rooms`.execute(db)
    return rows[0]?.rooms ?? 0
  }

  try {
    const rooms = Number(values.rooms)
    const everyMs = (Number(values.minutes) * 60_000) / rooms
    process.stderr.write(`${rooms} rooms in ${values.minutes} minutes, ready after ${readyAfterSeconds} s …\n`)
    const stopTimers = startTimers(functions)
    const calls: Promise<void>[] = []
    for (let room = 0; room < rooms; room++) {
      calls.push(callBack(endClass()))
      await delay(everyMs)
    }
    await Promise.all(calls)
    while ((await countArchived()) < rooms) await delay(1000)
    await stopTimers()
    const ours = functions.bill()
    const requests = simulator.requests.filter(({ action }) => action === 'DescribeRoomStatistics').length

    const sleepers = Number(values.sleepers)
    process.stderr.write(`${sleepers} rooms, each with a function that sleeps …\n`)
    const ids = Array.from({ length: sleepers }, endClass)
    await Promise.all(ids.map((roomId) => functions.invoke('sleeping-function', { RoomIds: [String(roomId)] })))
    const archived = await countArchived()
    if (archived !== rooms + sleepers) throw new Error(`${archived} rooms are archived, of ${rooms + sleepers}.`)
    const theirs = functions.bill()

    const result = { rooms, requests, sleepers, ours, theirs, ...comparisonOf(ours, theirs, { rooms, sleepers }) }
    process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : `${reportOf(result)}\n`)
  } finally {
    await functions.close()
    await db.destroy()
    await simulator.close()
    await database.close()
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** What was billed of one function. */
interface Bill {
  readonly name: string
  readonly invocations: number
  readonly coldStarts: number
  readonly gigabyteSeconds: number
  readonly peakRssBytes: number
  /** Those that had the least to do. */
  readonly shortestMs: number
}

/** All functions have 128 MB. Source: serverless.yml. */
const GIGABYTES = 0.125

function comparisonOf(
  ours: readonly Bill[],
  theirs: readonly Bill[],
  { rooms, sleepers }: { rooms: number; sleepers: number },
) {
  const sum = (bills: readonly Bill[]) => bills.reduce((total, { gigabyteSeconds }) => total + gigabyteSeconds, 0)
  const [per1000, sleeping] = [(sum(ours) / rooms) * 1000, (sum(theirs) / sleepers) * 1000]
  return { per1000Rooms: per1000, sleepingPer1000Rooms: sleeping, ratio: sleeping / per1000 }
}

function reportOf({
  ours,
  theirs,
  rooms,
  requests,
  per1000Rooms,
  sleepingPer1000Rooms,
  ratio,
}: ReturnType<typeof comparisonOf> & {
  ours: readonly Bill[]
  theirs: readonly Bill[]
  rooms: number
  requests: number
}): string {
  const table = new Table({
    head: ['', 'invocations', 'cold', 'GB-s', 'ms each', 'shortest ms', 'peak RSS MB'],
    style: { head: [], border: [] },
  })
  for (const { name, invocations, coldStarts, gigabyteSeconds, shortestMs, peakRssBytes } of [...ours, ...theirs]) {
    const eachMs = (gigabyteSeconds / GIGABYTES / invocations) * 1000
    table.push([
      name,
      invocations,
      coldStarts,
      gigabyteSeconds.toFixed(2),
      eachMs.toFixed(0),
      shortestMs.toFixed(0),
      (peakRssBytes / 2 ** 20).toFixed(0),
    ])
  }
  return `${table}
${rooms} rooms of 30 members, ${(requests / rooms).toFixed(1)} requests each: ${per1000Rooms.toFixed(1)} GB-s per 1,000 rooms, timers included.
A function that sleeps: ${sleepingPer1000Rooms.toFixed(1)} GB-s per 1,000 rooms, ${ratio.toFixed(0)} times as many.`
}

/** As serverless.yml has them. */
function startTimers({ invoke }: Functions): () => Promise<void> {
  const timer = { Type: 'Timer', TriggerName: 'bench', Time: new Date().toISOString(), Message: '' }
  const running = new Set<Promise<unknown>>()
  const start = (name: string) => {
    const invocation = invoke(name, timer).finally(() => running.delete(invocation))
    running.add(invocation)
  }
  const timers = [setInterval(() => start('archive-rooms'), 60_000), setInterval(() => start('sweep-rooms'), 600_000)]
  start('sweep-rooms')
  return async () => {
    for (const each of timers) clearInterval(each)
    await Promise.all(running)
  }
}

/** Functions, of which there are as many instances as there are events at once. */
interface Functions {
  /** Waits for the answer. @throws what the function threw */
  invoke(name: string, event: unknown): Promise<unknown>
  /** Of all invocations since the last one. */
  bill(): Bill[]
  close(): Promise<void>
}

/** What SCF bills of one invocation: until its event loop is empty, and the loading of its code before the first. */
interface Billed {
  readonly loadMs: number
  readonly durationMs: number
  readonly peakRssBytes: number
}

async function openFunctions(given: Readonly<Record<string, string>>): Promise<Functions> {
  const platform = await startPlatform({ directory: join(__dirname, '..', '..', '..') })
  const idle = new Map<string, Instance[]>()
  const billed = new Map<string, Billed[]>()

  const starts = createServer((request, response) => {
    receive(request).then(
      ({ FunctionName, ClientContext }) => {
        // Whoever started it does not wait for it.
        void invoke(FunctionName.replace('lcic-archive-test-', ''), JSON.parse(ClientContext))
        response.end(JSON.stringify({ Response: { Result: {}, RequestId: 'bench' } }))
      },
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    )
  })
  starts.listen(0, '127.0.0.1')
  await once(starts, 'listening')
  const { port } = starts.address() as AddressInfo
  const environment = { ...given, TENCENTCLOUD_SCF_ENDPOINT: `http://127.0.0.1:${port}` }

  async function invoke(name: string, event: unknown): Promise<unknown> {
    const warm = idle.get(name)?.pop()
    const instance = warm ?? (await platform.start(files[name] ?? name, { environment }))
    const outcome = await instance.invoke(event, { timeLimitMs: timeLimitMs[name] ?? 70_000 })
    const { durationMs, idleAfterMs, peakRssBytes, died } = outcome
    if (died || outcome.error !== undefined) throw new Error(`${name}: ${outcome.error}\n${instance.output()}`)
    const cost = { loadMs: warm ? 0 : instance.loadMs, durationMs: durationMs + idleAfterMs, peakRssBytes }
    idle.set(name, [...(idle.get(name) ?? []), instance])
    billed.set(name, [...(billed.get(name) ?? []), cost])
    return outcome.answer
  }

  return {
    invoke,
    bill() {
      const bills = [...billed].map(([name, costs]) => billOf(name, costs))
      billed.clear()
      return bills
    },
    async close() {
      await platform.close()
      await new Promise((resolve) => starts.close(resolve))
    },
  }
}

/** Where the platform finds what is no function of the project's. */
const files: Readonly<Record<string, string>> = { 'sleeping-function': '../test/bench/sleeping-function' }

/** As serverless.yml has them; a function that sleeps has the most there is. */
const timeLimitMs: Readonly<Record<string, number>> = {
  'room-ended': 10_000,
  'archive-rooms': 70_000,
  'sweep-rooms': 300_000,
  'sleeping-function': 900_000,
}

function billOf(name: string, costs: readonly Billed[]): Bill {
  const billedMs = costs.reduce((total, { durationMs, loadMs }) => total + Math.ceil(durationMs + loadMs), 0)
  return {
    name,
    invocations: costs.length,
    coldStarts: costs.filter(({ loadMs }) => loadMs > 0).length,
    gigabyteSeconds: (billedMs / 1000) * GIGABYTES,
    peakRssBytes: Math.max(...costs.map(({ peakRssBytes }) => peakRssBytes)),
    shortestMs: Math.min(...costs.map(({ durationMs }) => durationMs)),
  }
}

const invocationSchema = z.object({ FunctionName: z.string(), ClientContext: z.string() })

async function receive(request: AsyncIterable<Buffer>): Promise<z.infer<typeof invocationSchema>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return invocationSchema.parse(JSON.parse(Buffer.concat(chunks).toString()))
}

void main()
