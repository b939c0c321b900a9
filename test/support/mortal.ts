import { appendFileSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { archiveRoom } from '../../lib/archive/archive-room'
import { createBudget } from '../../lib/archive/budget'
import { replayRoom } from '../../lib/archive/replay-room'
import { systemClock } from '../../lib/clock'
import { readConfig } from '../../lib/config'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { createLcic } from '../../lib/lcic/client'
import { createLog } from '../../lib/log'

/** What a mortal process is to do, and where it is to die. It is told in the environment variable `MORTAL`. */
export interface MortalOrder {
  readonly work: 'archive' | 'replay'
  readonly roomId: string
  /** Where its log goes. */
  readonly logFile: string
  /** The point at which the process kills itself; absent: never. */
  readonly dieAt?: MortalPoint | undefined
}

/** Points are numbered in the order they are come by, or named by a text that is sent or received there. */
export type MortalPoint = number | { readonly moment: Moment; readonly text: string }

/** Around each write to a socket, in the midst of it, and when data have arrived that nobody has looked at yet. */
export type Moment = 'before' | 'half-way' | 'after' | 'arrived'

/** What it says on its standard output: how many points there were, and where it died. */
export interface MortalReport {
  readonly points: number
  readonly died?: {
    readonly point: number
    readonly moment: Moment
    /** The beginning of what was sent or received. */
    readonly text: string
  }
}

const { work, roomId, logFile, dieAt }: MortalOrder = JSON.parse(process.env.MORTAL ?? '{}')
let points = 0

/** Comes by a point, and dies if it is the one. */
function pass(moment: Moment, data: Buffer, last?: () => void): void {
  points += 1
  const isDue = typeof dieAt === 'object' ? dieAt.moment === moment && data.includes(dieAt.text) : dieAt === points
  if (!isDue) return
  last?.()
  const text = data.toString('latin1', 0, 200).replace(/\W+/g, ' ').trim().slice(0, 60)
  say({ points, died: { point: points, moment, text } })
  process.kill(process.pid, 'SIGKILL')
}

function say(report: MortalReport): void {
  writeSync(1, JSON.stringify(report))
}

/** Makes every write to a socket, and every arrival of data, a point. */
function plantPoints(): void {
  const { _write: write, push } = Socket.prototype

  function writeMortally(socket: Socket, data: Buffer, callback: (error?: Error | null) => void): void {
    pass('before', data)
    const half = data.subarray(0, data.length / 2)
    pass('half-way', data, () => Reflect.apply(write, socket, [half, 'buffer', () => undefined]))
    Reflect.apply(write, socket, [data, 'buffer', callback])
    // What is written to a socket that is still connecting leaves this process once it has connected.
    if (socket.connecting) socket.once('connect', () => pass('after', data))
    else pass('after', data)
  }

  Object.assign(Socket.prototype, {
    _write(this: Socket, chunk: Buffer | string, encoding: BufferEncoding, callback: () => void) {
      writeMortally(this, bytesOf({ chunk, encoding }), callback)
    },
    // What was corked leaves as one, as it does otherwise.
    _writev(this: Socket, chunks: readonly Chunk[], callback: () => void) {
      writeMortally(this, Buffer.concat(chunks.map(bytesOf)), callback)
    },
    push(this: Socket, chunk: Buffer | null, encoding?: BufferEncoding) {
      if (chunk) pass('arrived', chunk)
      return push.call(this, chunk, encoding)
    },
  })
}

interface Chunk {
  readonly chunk: Buffer | string
  readonly encoding: BufferEncoding
}

function bytesOf({ chunk, encoding }: Chunk): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

async function main(): Promise<void> {
  plantPoints()
  const { databaseUrl = '', requestsPerSecond, lcic: lcicConfig } = readConfig()
  const db = connect({ url: databaseUrl })
  const lcic = createLcic(lcicConfig)
  const clock = systemClock
  const budget = createBudget({ db, lcic, clock, requestsPerSecond })
  const context = {
    db,
    lcic,
    budget,
    clock,
    now: () => databaseTime,
    policy: { giveUpAfterMs: 86_400_000 },
    log: createLog('trace', { write: (line) => appendFileSync(logFile, line) }),
  }
  if (work === 'replay') await replayRoom(db, BigInt(roomId))
  else await archiveRoom(context, BigInt(roomId), { waitMs: 5_000, requestTimeoutMs: 10_000 })
  lcic.close()
  await db.destroy()
  say({ points })
}

void main()
