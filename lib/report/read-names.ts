import { sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables'

interface Person {
  readonly userId: string
}

/** The same members with the names they had in a class. Personal data: the role needs schema `analytics_pii`. */
export async function withNamesInClass<P extends Person>(
  tx: Transaction<Database>,
  roomId: bigint,
  people: readonly P[],
): Promise<(P & { userName?: string | undefined })[]> {
  const { rows } = await sql<{ userId: string; userName: string }>`
    select user_id as "userId", user_name as "userName"
    from analytics_pii.attendance
    where room_id = ${roomId} and user_id = any(${people.map(({ userId }) => userId)}) and user_name <> ''`.execute(tx)
  const names = new Map(rows.map(({ userId, userName }) => [userId, userName]))
  return people.map((person) => ({ ...person, userName: names.get(person.userId) }))
}

/** The same members with the names they had last. Personal data: the role needs schema `analytics_pii`. */
export async function withNames<P extends Person & { readonly sdkAppId: bigint | null }>(
  tx: Transaction<Database>,
  people: readonly P[],
): Promise<(P & { userName?: string | undefined })[]> {
  const { rows } = await sql<{ sdkAppId: bigint | null; userId: string; userName: string }>`
    select sdk_app_id as "sdkAppId", user_id as "userId", user_name as "userName"
    from analytics_pii.member
    where user_id = any(${people.map(({ userId }) => userId)}) and user_name <> ''`.execute(tx)
  const keyOf = (sdkAppId: bigint | null, userId: string) => `${sdkAppId} ${userId}`
  const names = new Map(rows.map(({ sdkAppId, userId, userName }) => [keyOf(sdkAppId, userId), userName]))
  return people.map((person) => ({ ...person, userName: names.get(keyOf(person.sdkAppId, person.userId)) }))
}
