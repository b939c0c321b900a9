import { listMigrations, migrateUp } from '../lib/db/migrate'
import { functionOf } from '../lib/platform/runtime'

/** Brings the database's schema up to date: a step of the deployment, in a function because the database is out of reach from elsewhere. */
export const main_handler = functionOf(
  async ({ db, log }) => {
    const applied = (await migrateUp(db)).map(({ migrationName }) => migrationName)
    for (const name of applied) log.info({ migration: name }, 'applied')
    const migrations = (await listMigrations(db)).map(({ name, executedAt }) => ({
      name,
      applied_at: executedAt ?? null,
    }))
    return { applied, migrations }
    // A migration may take as long as it takes.
  },
  { silenceMs: 0 },
)
