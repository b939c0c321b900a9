import { type Kysely, type MigrationInfo, type MigrationResult, Migrator } from 'kysely'
import { migrations } from '../../migrations'
import { DatabaseError } from '../errors'
import { grantRights, type RightsChange } from './grant-rights'
import type { Database } from './tables'

/**
 * Applies every migration that is missing, then grants the roles their rights. Safe to run by several at once: an advisory
 * lock is held.
 *
 * @param onRights is told if any were granted or taken back
 * @throws {DatabaseError} `E_MIGRATION` naming the migration that failed; those before it stay applied.
 */
export async function migrateUp(
  db: Kysely<Database>,
  { onRights }: { onRights?: (change: RightsChange) => void } = {},
): Promise<MigrationResult[]> {
  const results = settled(await createMigrator(db).migrateToLatest())
  const change = await grantRights(db)
  if (change) onRights?.(change)
  return results
}

/** Takes back the newest applied migration. */
export async function migrateDown(db: Kysely<Database>): Promise<MigrationResult[]> {
  return settled(await createMigrator(db).migrateDown())
}

/** Every migration with the time it was applied, if it was. Changes nothing. */
export async function listMigrations(db: Kysely<Database>): Promise<readonly MigrationInfo[]> {
  return createMigrator(db).getMigrations()
}

/** Names of the migrations that this program brings and the database lacks. */
export async function pendingMigrations(db: Kysely<Database>): Promise<string[]> {
  const known = await listMigrations(db)
  return known.filter((migration) => migration.executedAt === undefined).map((migration) => migration.name)
}

function createMigrator(db: Kysely<Database>): Migrator {
  return new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    migrationTableSchema: 'archive',
    migrationTableName: 'migrations',
    migrationLockTableName: 'migrations_lock',
  })
}

function settled({ error, results = [] }: { error?: unknown; results?: MigrationResult[] }): MigrationResult[] {
  if (error === undefined) return results
  const failed = results.find((result) => result.status === 'Error')
  throw new DatabaseError(
    'E_MIGRATION',
    `${failed ? `Migration ${failed.migrationName}` : 'Migrating'} failed: ` +
      `${error instanceof Error ? error.message : String(error)}. Nothing of it was kept; mend the cause and run migrate again.`,
    { cause: error },
  )
}
