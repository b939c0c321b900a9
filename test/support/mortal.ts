import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { pino } from 'pino'
import { archiveRoom } from '../../lib/archive/archive-room'
import { createBudget } from '../../lib/archive/budget'
import { replayRoom } from '../../lib/archive/replay-room'
import { systemClock } from '../../lib/clock'
import { readConfig } from '../../lib/config'
import { connect } from '../../lib/db/connect'
import { createLcic } from '../../lib/lcic/client'

/** What a mortal process is to do, and where it is to die. It is told in the environment variable `MORTAL`. */
export interface MortalOrder {
  readonly work: 'archive' | 'replay'
  readonly roomId: string
  /** The point at which the process kills itself; absent: never. */
  readonly dieAt?: MortalPoint | undefined
}

/** Points are numbered as they are come by, or named by what is written and when. */
export type MortalPoint = number | { readonly writing: string; readonly moment: Moment }

/** Around each write to a socket, and when data have arrived that nobody has looked at yet. */
type Moment = 'before' | 'half-way' | 'after' | 'arrived'

/** What it says on its standard output: every point it came by, or the one it dies at. */
export interface MortalReport {
  readonly points: number
  readonly died?: { readonly point: number; readonly moment: Moment; readonly what: string }
}

const { work, roomId, dieAt }: MortalOrder = JSON.parse(process.env.MORTAL ?? '{}')
let points = 0

function say(report: MortalReport): void {
  writeSync(1, JSON.stringify(report))
}

/** Whether this is the point to die at. */
function isDue(moment: Moment, data: Uint8Array | string): boolean {
  points += 1
  if (typeof dieAt !== 'object') return points === dieAt
  return dieAt.moment === moment && Buffer.from(data).includes(dieAt.writing)
}

function die(moment: Moment, data: Uint8Array | string): void {
  const what = Buffer.from(data).toString('latin1').replace(/\W+/g, ' ').trim().slice(0, 60)
  say({ points, died: { point: points, moment, what } })
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way; nothing more may happen here.
  for (;;);
}

/** Makes every write to a socket and every arrival of data a point. */
function plantPoints(): void {
  const prototype = Socket.prototype
  const { _write, push } = prototype

  prototype._write = function (chunk: Buffer | string, encoding, callback) {
    if (isDue('before', chunk)) die('before', chunk)
    const half = Math.floor(chunk.length / 2)
    if (isDue('half-way', chunk)) {
      _write.call(this, chunk.slice(0, half), encoding, () => undefined)
      die('half-way', chunk)
    }
    _write.call(this, chunk, encoding, callback)
    // While it connects the data wait in this process; they leave it later.
    if (isDue('after', chunk)) this.connecting ? this.once('connect', () => die('after', chunk)) : die('after', chunk)
  }
  // What was corked is handed over as one, as it would be otherwise.
  Object.assign(prototype, {
    _writev(this: Socket, chunks: { chunk: Buffer | string; encoding: BufferEncoding }[], callback: () => void) {
      const buffers = chunks.map(({ chunk, encoding }) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk))
      this._write(Buffer.concat(buffers), 'buffer' as BufferEncoding, callback)
    },
  })

  prototype.push = function (chunk: Buffer | null, encoding) {
    if (chunk && isDue('arrived', chunk)) die('arrived', chunk)
    return push.call(this, chunk, encoding)
  }
}

async function main(): Promise<void> {
  const config = readConfig()
  plantPoints()
  const db = connect({ url: config.databaseUrl ?? '' })
  const lcic = createLcic(config.lcic)
  const { requestsPerSecond } = config
  const budget = createBudget({ db, lcic, clock: systemClock, requestsPerSecond })
  const context = { db, lcic, budget, clock: systemClock, log: pino({ level: 'silent' }) }
  if (work === 'replay') await replayRoom(db, BigInt(roomId))
  else await archiveRoom(context, BigInt(roomId), { waitMs: 0, requestTimeoutMs: 10_000 })
  say({ points })
  lcic.close()
  await db.destroy()
}

void main()
