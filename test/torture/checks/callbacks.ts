import { type Kysely, sql } from 'kysely'
import type { Database } from '../../../lib/db/tables'
import type { CallbackAnswer } from '../call-back'
import type { Violation } from './violation'

/** Callbacks that were answered as taken and are not there, and forged ones that were believed. */
export async function findCallbackTrouble(
  db: Kysely<Database>,
  answers: readonly CallbackAnswer[],
): Promise<Violation[]> {
  const taken = answers.filter(({ kind, status }) => kind === 'true' && status === 200).map(({ roomId }) => roomId)
  const forged = answers.filter(({ kind }) => kind !== 'true')
  const lost = await sql<{ room_id: bigint }>`
    select distinct room_id from unnest(${taken.map(String)}::bigint[]) as taken (room_id)
    where not exists (select from archive.jobs j where j.room_id = taken.room_id)
      or not exists (select from archive.callbacks c where c.room_id = taken.room_id)`.execute(db)
  const believed = await sql<{ room_id: bigint }>`
    select distinct room_id from unnest(${forged.map(({ roomId }) => String(roomId))}::bigint[]) as forged (room_id)
    where exists (select from archive.jobs j where j.room_id = forged.room_id)
      or exists (select from archive.callbacks c where c.room_id = forged.room_id)`.execute(db)
  return [
    ...lost.rows.map(
      ({ room_id: roomId }): Violation => ({
        check: 'callback lost',
        roomId,
        what: 'its callback was answered as taken, and is not there',
      }),
    ),
    ...believed.rows.map(
      ({ room_id: roomId }): Violation => ({
        check: 'forged callback',
        roomId,
        what: 'a forged callback has left something behind',
      }),
    ),
    ...forged.flatMap(({ kind, roomId, status }): Violation[] =>
      status === undefined || (status >= 400 && status < 500)
        ? []
        : [{ check: 'forged callback', roomId, what: `one with "${kind}" was answered ${status}` }],
    ),
  ]
}
