import { randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { hintRooms } from '../db/hint-rooms'
import { claimRoom, type Lease, leaseHolder } from '../db/leases'
import { type ArchiveContext, LEASE_MS, type Patience } from './context'

export interface Claim {
  readonly lease: Lease
  /** Attempts the job has cost before. */
  readonly attempts: number
}

/** How often a room that someone else works on is looked at again. */
const POLL_MS = 500

/**
 * Takes the lease of a room named by a person, making a job if there is none. While another process works on the room
 * this waits, for as long as the caller is willing to; a holder on this machine that has died is not waited for.
 *
 * @returns `undefined` if the room is still being worked on
 */
export async function claimNamedRoom(
  { db, clock }: ArchiveContext,
  roomId: bigint,
  { waitMs, deadline = Number.POSITIVE_INFINITY, signal }: Patience,
): Promise<Claim | undefined> {
  const lease = { roomId, holder: `${machine()}:${process.pid}:${randomUUID().slice(0, 8)}` }
  const giveUpAt = Math.min(clock.now() + waitMs, deadline)
  await hintRooms(db, { roomIds: [roomId], hintedBy: 'command', now: new Date(clock.now()) })
  for (;;) {
    const holder = await leaseHolder(db, roomId)
    const dead = holder !== undefined && isDeadNeighbour(holder) ? [holder] : []
    const now = clock.now()
    const attempts = await claimRoom(db, { lease, now: new Date(now), until: new Date(now + LEASE_MS), dead })
    if (attempts !== undefined) return { lease, attempts }
    if (now + POLL_MS >= giveUpAt) return undefined
    await clock.sleep(POLL_MS, signal)
  }
}

/** Whether a lease's holder was a process of this machine that is no more. */
function isDeadNeighbour(holder: string): boolean {
  const [, host, pid] = /^(.*):(\d+):[^:]*$/.exec(holder) ?? []
  if (host !== machine()) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

/** Where process ids mean something: containers may share a host's name and yet count their own. */
function machine(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}
