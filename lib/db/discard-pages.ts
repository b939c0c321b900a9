import type { Kysely } from 'kysely'
import type { Database } from './tables'

/** Forgets the pages of an attempt that said nothing new. */
export async function discardPages(
  db: Kysely<Database>,
  { roomId, attempt }: { roomId: bigint; attempt: number },
): Promise<void> {
  await db.deleteFrom('archive.raw_pages').where('room_id', '=', roomId).where('attempt', '=', attempt).execute()
}
