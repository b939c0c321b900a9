import { type Kysely, sql } from 'kysely'
import { listMigrations, migrateDown, migrateUp } from '../../lib/db/migrate'
import type { Database } from '../../lib/db/tables'
import { roomsFrom } from './simulated-school'

/** How member records are spread over tables: by ranges of room ids, or evenly by a hash of them. */
export interface Partitioning {
  readonly by: 'range' | 'hash'
  readonly partitions: number
}

/** @param text such as `range:16` */
export function readPartitioning(text: string): Partitioning {
  const [by, partitions] = text.split(':')
  if ((by !== 'range' && by !== 'hash') || !(Number(partitions) > 0))
    throw new Error(`${text} is no partitioning; there are range:N and hash:N.`)
  return { by, partitions: Number(partitions) }
}

/** Puts a partitioned table in the place of an empty `member_records`: same columns, same keys, same indexes, same views. */
export async function partitionMembers(
  db: Kysely<Database>,
  { by, partitions }: Partitioning,
  rooms: number,
): Promise<void> {
  // Views hold on to the table that they were made of.
  for (;;) {
    const applied = (await listMigrations(db)).filter(({ executedAt }) => executedAt !== undefined)
    if (!applied.some(({ name }) => name === '0006-analytics')) break
    await migrateDown(db)
  }
  await sql`alter table archive.member_records rename to former_records`.execute(db)
  await sql`
    create table archive.member_records (like archive.former_records including all)
    partition by ${sql.raw(by)} (room_id)`.execute(db)
  await sql`drop table archive.former_records`.execute(db)
  // Rooms that are added later fall into the last range.
  const bound = (n: number) => (n === 0 ? 'minvalue' : n === partitions ? 'maxvalue' : String(roomsFrom + n * width))
  const width = Math.ceil(rooms / partitions)
  for (let n = 0; n < partitions; n++) {
    const values =
      by === 'hash' ? `with (modulus ${partitions}, remainder ${n})` : `from (${bound(n)}) to (${bound(n + 1)})`
    await sql`
      create table ${sql.id('archive', `member_records_${n}`)} partition of archive.member_records
      for values ${sql.raw(values)}`.execute(db)
    // What the whole table is told of itself its parts are not.
    await sql`
      alter table ${sql.id('archive', `member_records_${n}`)} alter column room_id set (n_distinct = -0.033)`.execute(
      db,
    )
  }
  await migrateUp(db)
}
