import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Postgres } from './postgres'

/** Those that a process of this machine holds; what it has locked besides is left to it. */
export async function endLeases(postgres: Postgres, pid: number | undefined): Promise<void> {
  await sql`
    update archive.jobs set lease_until = now()
    where room_id = any (array(
      select room_id from archive.jobs where leased_by like ${`%:${pid}:%`} for update skip locked))`.execute(
    postgres.db(),
  )
}

/** Nobody can reserve a slot meanwhile. */
export async function lockBudgets(postgres: Postgres, forMs: number): Promise<void> {
  await postgres
    .db()
    .transaction()
    .execute(async (tx) => {
      await sql`select from archive.budgets for update`.execute(tx)
      await delay(forMs)
    })
}

/** Somebody looks at a job, and takes their time. */
export async function lockJob(postgres: Postgres, roomId: bigint, forMs: number): Promise<void> {
  await postgres
    .db()
    .transaction()
    .execute(async (tx) => {
      await sql`select from archive.jobs where room_id = ${roomId} for update`.execute(tx)
      await delay(forMs)
    })
}
