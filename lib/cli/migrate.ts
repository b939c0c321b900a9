import { Argument, Command } from 'commander'
import { readConfig } from '../config'
import { countRows } from '../db/count-rooms'
import type { RightsChange } from '../db/grant-rights'
import { listMigrations, migrateDown, migrateUp } from '../db/migrate'
import type { Right } from '../db/rights'
import { UsageError } from '../errors'
import { counted, print, printable, printJson, table } from './output'
import { type DatabaseSession, openDatabase } from './session'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('apply, take back or list migrations')
    .addArgument(
      new Argument('[direction]', 'up: apply all that are missing; down: take back the newest; status: list')
        .choices(['up', 'down', 'status'])
        .default('up'),
    )
    .option('--yes', 'take back a migration although data go with it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExamples:\n  $ lcic-archive migrate\n  $ lcic-archive migrate status\n')
    .action(async (direction: 'up' | 'down' | 'status', { yes, json }: { yes?: boolean; json?: boolean }) => {
      await using session = await openDatabase(readConfig(), { migrated: false })
      const { db } = session
      if (direction === 'down' && !yes) await requireNothingToLose(db)
      let rights: RightsChange | undefined
      const onRights = (change: RightsChange) => {
        rights = change
      }
      const results =
        direction === 'status' ? [] : await (direction === 'up' ? migrateUp(db, { onRights }) : migrateDown(db))
      const changed = results.map(({ migrationName }) => migrationName)
      const migrations = (await listMigrations(db)).map(({ name, executedAt }) => ({
        name,
        applied_at: executedAt ?? null,
      }))
      if (json) {
        const told = rights && { roles_created: rights.created, roles_absent: rights.absent, ...rightsCounts(rights) }
        return printJson({ [direction === 'down' ? 'taken_back' : 'applied']: changed, ...told, migrations })
      }
      for (const name of changed) print(`${direction === 'down' ? 'took back' : 'applied'} ${name}`)
      if (rights) print(rightsText(rights))
      if (changed.length === 0 && !rights && direction !== 'status') print('Nothing to do.')
      print(
        table(migrations, [
          { title: 'migration', value: ({ name }) => name },
          { title: 'applied', value: ({ applied_at }) => (applied_at ? printable(applied_at) : 'no') },
        ]),
      )
    })
}

function rightsCounts({ granted, revoked }: RightsChange) {
  return { rights_granted: granted.length, rights_taken_back: revoked.length }
}

function rightsText({ created, owned, granted, revoked, absent }: RightsChange): string {
  const rolesOf = (rights: readonly Right[]) => [...new Set(rights.map(({ role }) => role))].join(', ')
  const lines = [
    ...created.map((role) => `created role ${role}`),
    owned.length > 0 && `made lcic_migrator the owner of ${counted(owned.length, 'object')}`,
    granted.length > 0 && `granted ${counted(granted.length, 'right')} to ${rolesOf(granted)}`,
    revoked.length > 0 && `took back ${counted(revoked.length, 'right')} from ${rolesOf(revoked)}`,
    absent.length > 0 &&
      `missing: ${absent.map((role) => `role ${role}`).join(', ')}; have an administrator run migrations/roles.sql, then run migrate again`,
  ]
  return lines.filter((line) => line !== false).join('\n')
}

/** @throws {UsageError} where more than the form of the tables would go */
async function requireNothingToLose(db: DatabaseSession['db']): Promise<void> {
  const newest = (await listMigrations(db)).findLast(({ executedAt }) => executedAt)?.name
  const loss = newest === undefined ? undefined : await lossOf(db, newest)
  if (loss === undefined) return
  throw new UsageError('E_USAGE', `Taking back ${newest} deletes ${loss}. Make a dump (pg_dump), then say --yes.`)
}

async function lossOf(db: DatabaseSession['db'], migration: string): Promise<string | undefined> {
  if (migration === '0001-archive') {
    const rooms = await countRows(db, 'archive.rooms')
    return rooms > 0 ? `the whole archive, ${counted(rooms, 'room')}` : undefined
  }
  if (migration === '0006-analytics') {
    const [rules, tenants] = [await countRows(db, 'archive.course_rules'), await countRows(db, 'archive.tenants')]
    if (rules + tenants === 0) return undefined
    return `which rooms belong to which course, ${counted(rules, 'rule')}, and who sees which app, ${counted(tenants, 'row')}`
  }
  if (migration === '0005-privacy') {
    const erased = await countRows(db, 'archive.erasures')
    return erased > 0 ? `who was erased, ${counted(erased, 'row')}: the next archiving brings them back` : undefined
  }
  if (migration !== '0002-nothing-missed') return undefined
  const rows = await countRows(db, 'archive.history')
  const known = await countRows(db, 'archive.known_rooms')
  if (rows + known === 0) return undefined
  return `the values that later reads replaced, ${counted(rows, 'row')}, and what LCIC lists, ${counted(known, 'room')}`
}
