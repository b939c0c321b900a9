import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { hintRooms } from '../db/hint-rooms'
import { type ClaimedRoom, claimDueRooms, claimRoom, findJob, type Lease, leaseHolders } from '../db/leases'
import { describeError } from '../errors'
import type { ArchiveContext, Patience } from './context'

/** How often a room that someone else works on is looked at again. */
const POLL_MS = 500

/**
 * Takes the lease of a room named by a person, making a job if there is none. While another process works on the room
 * this waits, for as long as the caller is willing to; a holder on this machine that has died is not waited for.
 *
 * @returns `undefined` if the room is still being worked on
 */
export async function claimNamedRoom(
  context: ArchiveContext,
  roomId: bigint,
  { waitMs, deadline = Number.POSITIVE_INFINITY, signal }: Patience,
): Promise<Lease | undefined> {
  const { db, clock, now } = context
  const lease = { roomId, holder: newHolder(context) }
  const giveUpAt = Math.min(clock.now() + waitMs, deadline)
  for (;;) {
    const job = await findJob(db, roomId)
    // Only one that is not there needs a hint; that of another might be locked for long.
    if (!job) await hintRooms(db, { hints: [{ roomId }], hintedBy: 'command', now: now() })
    const other = job?.leased_by
    const isDead = other && isDeadNeighbour(other)
    if (await claimRoom(db, { lease, now: now(), ...(isDead && { dead: [other] }) })) return lease
    if (clock.now() + POLL_MS >= giveUpAt) return undefined
    await clock.sleep(POLL_MS, signal)
  }
}

/**
 * Takes the leases of rooms that are due, up to `limit`. Where there are fewer, those of processes of this machine that
 * have died are taken over, too, before their time is up.
 *
 * @param own holders of this process whose leases could not be given back, or were never known to be had
 */
export async function claimDue(
  context: ArchiveContext,
  // Stryker disable next-line ArrayDeclaration: nobody is called that.
  { limit, own = [], holder = newHolder(context) }: { limit: number; own?: readonly string[]; holder?: string },
): Promise<ClaimedRoom[]> {
  const { db, now } = context
  const taken: ClaimedRoom[] = []
  for (;;) {
    const { leases, woken } = await claimDueRooms(db, { holder, now: now(), limit: limit - taken.length, dead: own })
    taken.push(...leases)
    // Stryker disable next-line ConditionalExpression,EqualityOperator: once there are enough, no more are asked for.
    if (taken.length < limit && woken > 0) continue
    if (taken.length > 0) return taken
    const dead = (await leaseHolders(db, { now: now() })).filter(isDeadNeighbour)
    // Stryker disable next-line ConditionalExpression: without it nothing is found, by one more statement.
    if (dead.length === 0) return []
    return (await claimDueRooms(db, { holder, now: now(), limit, dead })).leases
  }
}

/** A name for all that is claimed at once. */
export function newHolder({ worker = `${machine()}:${process.pid}` }: Pick<ArchiveContext, 'worker'>): string {
  // What was drawn ahead would be the same in every instance that is made from one snapshot.
  // Stryker disable next-line ObjectLiteral,BooleanLiteral: no test is made from a snapshot.
  return `${worker}:${randomUUID({ disableEntropyCache: true }).slice(0, 8)}`
}

/** Whether a lease's holder was a process of this machine that is no more. */
function isDeadNeighbour(holder: string): boolean {
  const named = /(.*):(\d+):/.exec(holder)
  if (named?.[1] !== machine()) return false
  try {
    process.kill(Number(named[2]), 0)
    return false
  } catch (error) {
    return describeError(error).code === 'ESRCH'
  }
}

/** Where process ids mean something: machines may share a name, and containers besides count their own. */
function machine(): string {
  try {
    const boot = String(readFileSync('/proc/sys/kernel/random/boot_id')).slice(0, 8)
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`
    // Stryker disable next-line BlockStatement: where tests run there is /proc.
  } catch {
    return hostname()
  }
}
