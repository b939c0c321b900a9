import { Argument, Command } from 'commander'
import { readConfig } from '../config'
import { listMigrations, migrateDown, migrateUp } from '../db/migrate'
import { print, printable, printJson, table } from './output'
import { openDatabase } from './session'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('apply, take back or list migrations')
    .addArgument(
      new Argument('[direction]', 'up: apply all that are missing; down: take back the newest; status: list')
        .choices(['up', 'down', 'status'])
        .default('up'),
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExamples:\n  $ lcic-archive migrate\n  $ lcic-archive migrate status\n')
    .action(async (direction: 'up' | 'down' | 'status', { json }: { json?: boolean }) => {
      await using session = await openDatabase(readConfig(), { migrated: false })
      const { db } = session
      const results = direction === 'status' ? [] : await (direction === 'up' ? migrateUp : migrateDown)(db)
      const changed = results.map(({ migrationName }) => migrationName)
      const migrations = (await listMigrations(db)).map(({ name, executedAt }) => ({
        name,
        applied_at: executedAt ?? null,
      }))
      if (json) return printJson({ [direction === 'down' ? 'taken_back' : 'applied']: changed, migrations })
      for (const name of changed) print(`${direction === 'down' ? 'took back' : 'applied'} ${name}`)
      if (changed.length === 0 && direction !== 'status') print('Nothing to do.')
      print(
        table(migrations, [
          { title: 'migration', value: ({ name }) => name },
          { title: 'applied', value: ({ applied_at }) => (applied_at ? printable(applied_at) : 'no') },
        ]),
      )
    })
}
