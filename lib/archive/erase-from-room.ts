import type { Kysely } from 'kysely'
import { attemptPages, pagesWithTraces, rehashRuns, rewritePage, uncountDuplicates } from '../db/erase-pages'
import {
  countErasedRecords,
  eraseMemberRows,
  lockRoom,
  replaceMessage,
  replaceValue,
  roomMessages,
  valuesNaming,
} from '../db/erase-rows'
import type { Trace } from '../db/find-traces'
import type { Instant } from '../db/instant'
import { digestRecords } from '../db/merge-members'
import type { Database } from '../db/tables'
import { redactPage, withoutErased } from '../lcic/redact-page'
import { readStoredPage } from '../lcic/statistics'
import { hashOf } from './take-snapshot'

/** Whom to erase. */
export interface ErasedMember {
  readonly trace: Trace
  /** Of which app; null: of whatever app. */
  readonly sdkAppId: bigint | null
}

/** What of a member was deleted in a room, or would be. */
export interface RoomErasure {
  /** Rows of member_records. */
  readonly members: number
  /** Rows of history. */
  readonly history: number
  /** Records of raw pages. */
  readonly records: number
  /** Other places that named him: fields that LCIC may have added, and messages. */
  readonly mentions: number
}

/**
 * Erases a member from one room, in the caller's transaction, which keeps the room locked; `plan` only looks.
 *
 * @returns `undefined` if nothing of him is there, or the room is of another app
 */
export async function eraseFromRoom(
  tx: Kysely<Database>,
  roomId: bigint,
  { member: { trace, sdkAppId }, now, plan }: { member: ErasedMember; now: Instant; plan: boolean },
): Promise<RoomErasure | undefined> {
  const app = await lockRoom(tx, roomId, { plan })
  if (sdkAppId !== null && app !== null && app !== sdkAppId) return undefined
  const isErased = (userId: string) => trace.userIds.includes(userId)
  const before = await attemptPages(tx, roomId)
  const rows = await eraseMemberRows(tx, { roomId, trace, plan })
  const texts = new Set(trace.userIds)
  for (const { user_name, ip_address, location } of [...rows.members, ...rows.history])
    for (const text of [user_name, ip_address, location]) if (text) texts.add(text)
  let records = 0
  let mentions = 0

  for await (const { attempt, page, body } of pagesWithTraces(tx, { roomId, trace })) {
    const stored = readStoredPage(body)
    const { page: redacted, erased } = redactPage(stored, { isErased })
    if (redacted === stored) continue
    records += erased.length
    if (erased.length === 0) mentions++
    for (const record of erased) for (const text of personalTexts(record)) texts.add(text)
    const { body: left, records: loadable, figures, recordCount, contentHash } = redacted
    const facts = { roomId, attempt, page, body: left, records: loadable, figures, recordCount, contentHash }
    if (!plan) await rewritePage(tx, { ...facts, erased: erased.length })
  }
  for (const value of await valuesNaming(tx, { roomId, trace })) {
    const text = withoutErased(value.text, isErased)
    if (text === undefined) continue
    mentions++
    if (!plan) await replaceValue(tx, { ...value, text }, roomId)
  }
  const found = { members: rows.members.length, history: rows.history.length, records, mentions }
  if (Object.values(found).every((count) => count === 0)) return undefined
  const pattern = anyOf(texts)
  for (const message of await roomMessages(tx, roomId)) {
    const text = message.text.replace(pattern, '(erased)')
    if (text === message.text) continue
    found.mentions++
    if (!plan) await replaceMessage(tx, { ...message, text }, roomId)
  }
  if (plan) return found
  const hashes = await rehash(tx, roomId, before)
  const present = rows.members.filter(({ isRemoved }) => !isRemoved).length
  await countErasedRecords(tx, { roomId, members: present, hashes, now })
  return found
}

/** Brings the hashes of runs up to their pages. @returns what became of which */
async function rehash(
  tx: Kysely<Database>,
  roomId: bigint,
  before: Awaited<ReturnType<typeof attemptPages>>,
): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  for (const now of await attemptPages(tx, roomId)) {
    const { attempt } = now
    const then = before.find((pages) => pages.attempt === attempt)
    // Stryker disable next-line ConditionalExpression,LogicalOperator: they would be set to what they are.
    if (!then || then.contentHashes.join() === now.contentHashes.join()) continue
    const pagesHash = hashOfAll(then.contentHashes)
    hashes.set(pagesHash, hashOfAll(now.contentHashes))
    // That of a read that was not believed is one of its records, in whatever order.
    // Stryker disable next-line ConditionalExpression: what has none is like none.
    if (now.contentHash !== null && now.contentHash !== pagesHash) {
      const { fingerprint } = await digestRecords(tx, { roomId, attempt })
      hashes.set(now.contentHash, fingerprint)
    }
    const duplicates = now.erased - then.erased - 1
    // Stryker disable next-line EqualityOperator: none would be subtracted, by one more statement.
    if (duplicates > 0) await uncountDuplicates(tx, { roomId, attempt, duplicates })
  }
  // Stryker disable next-line ConditionalExpression,EqualityOperator: nothing would be changed, by one more statement.
  if (hashes.size > 0) await rehashRuns(tx, { roomId, hashes })
  return hashes
}

function hashOfAll(contentHashes: readonly string[]): string {
  return hashOf(contentHashes.map((contentHash) => ({ contentHash })))
}

/** What a record tells of its member. */
function personalTexts(record: string): string[] {
  const { UserName, IPAddress, Location } = JSON.parse(record)
  return [UserName, IPAddress, Location].filter((text) => typeof text === 'string' && text !== '')
}

/** Any of the texts, as whole words. */
function anyOf(texts: ReadonlySet<string>): RegExp {
  const longestFirst = [...texts].sort((a, b) => b.length - a.length)
  const escaped = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join('|')})(?![\\p{L}\\p{N}])`, 'gu')
}
