import { Command } from 'commander'
import { readConfig } from '../config'
import { databaseTime } from '../db/instant'
import { retryRooms } from '../db/retry-rooms'
import { UsageError } from '../errors'
import { roomIds } from './arguments'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printJson } from './output'
import { openDatabase } from './session'

export function retryCommand(): Command {
  return new Command('retry')
    .description('make jobs due again')
    .argument('[room_id...]', 'these rooms; archived ones are read once more', roomIds)
    .option('--failed', 'all rooms that were given up')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Nothing is asked for yet: that is done by \`run\`.

Exit code: 0 done, 1 a room has no job (name it to \`archive\` instead), 2 usage or configuration, 3 out of reach.

Examples:
  $ lcic-archive retry 312345678
  $ lcic-archive retry --failed && lcic-archive run --until-idle
`,
    )
    .action(async (rooms: readonly bigint[] = [], { failed, json }: { failed?: boolean; json?: boolean }) => {
      if (failed ? rooms.length > 0 : rooms.length === 0) {
        throw new UsageError('E_USAGE', `Give either room ids or --failed${failed ? ', not both' : ''}.`)
      }
      await using session = await openDatabase(readConfig())
      const due = await retryRooms(session.db, { rooms: failed ? 'failed' : rooms, now: databaseTime })
      const unknown = rooms.filter((roomId) => !due.includes(roomId))
      if (json) printJson({ due, unknown })
      else print(`${counted(due.length, 'room')} made due${due.length > 0 ? '; lcic-archive run works them off' : ''}.`)
      if (!json && unknown.length > 0) print(`No job: ${unknown.join(', ')}. Name them to lcic-archive archive.`)
      setExitCode(unknown.length > 0 ? ExitCode.incomplete : ExitCode.done)
    })
}
