import { sql } from 'kysely'
import { connect } from '../db/connect'
import { migrateUp } from '../db/migrate'
import type { EmbeddedDatabase } from '../embedded'
import { remark } from './output'

/** The demo's own database beside the archive's, so that simulated classes never mix with real ones. */
export const demoDatabase = 'demo'

/** Any number will do that nothing else in this database locks. */
const DEMO_LOCK = 20_220_817

export interface DemoDatabase extends AsyncDisposable {
  readonly db: ReturnType<typeof connect>
}

/** Makes the demo's database anew. One demo at a time has it; another waits. */
export async function createDemoDatabase(embedded: EmbeddedDatabase): Promise<DemoDatabase> {
  const admin = connect({ url: embedded.url, max: 1 })
  const { rows } = await sql<{ free: boolean }>`select pg_try_advisory_lock(${DEMO_LOCK}) as free`.execute(admin)
  if (!rows[0]?.free) {
    remark('Another demo is running here; waiting for it to end …')
    await sql`select pg_advisory_lock(${DEMO_LOCK})`.execute(admin)
  }
  await sql`drop database if exists ${sql.id(demoDatabase)} with (force)`.execute(admin)
  await sql`create database ${sql.id(demoDatabase)}`.execute(admin)
  const url = new URL(embedded.url)
  url.pathname = `/${demoDatabase}`
  const db = connect({ url: url.toString() })
  await migrateUp(db)
  return {
    db,
    async [Symbol.asyncDispose]() {
      await db.destroy()
      await admin.destroy()
    },
  }
}
