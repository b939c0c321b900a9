import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'

/** Tables whose writes can be refused as if the disk were full. */
export const fillable = ['raw_pages', 'member_records', 'runs', 'callbacks', 'jobs', 'rooms', 'budgets'] as const

/** Makes it possible; nothing is refused yet. A switch is looked at, so that no table is locked in the midst of a round. */
export async function prepareFullDisk(db: Kysely<Database>): Promise<void> {
  await sql`create schema torture`.execute(db)
  await sql`create table torture.full_disk (table_name text primary key)`.execute(db)
  await sql`
    create function torture.refuse_if_full() returns trigger language plpgsql as $$
    begin
      if exists (select from torture.full_disk where table_name = tg_table_name) then
        raise disk_full using message = 'could not extend file: No space left on device';
      end if;
      return new;
    end $$`.execute(db)
  for (const table of fillable) {
    await sql`
      create trigger full_disk before insert or update on ${sql.id('archive', table)}
      for each row execute function torture.refuse_if_full()`.execute(db)
  }
}

/** Has a table refuse rows, or take them again. */
export async function setFullDisk(db: Kysely<Database>, table: string, isFull: boolean): Promise<void> {
  if (isFull) await sql`insert into torture.full_disk values (${table}) on conflict do nothing`.execute(db)
  else await sql`delete from torture.full_disk where table_name = ${table}`.execute(db)
}
