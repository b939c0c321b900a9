import { Command } from 'commander'
import { type ReplayReport, replayRoom } from '../archive/replay-room'
import { readConfig } from '../config'
import { isDataRefusal } from '../db/connect'
import { archivedRoomIds, countPrunedRooms } from '../db/replay-attempts'
import { ArchiveError, describeError, UsageError } from '../errors'
import { roomIds } from './arguments'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printJson, remark, seconds, table } from './output'
import { openDatabase } from './session'
import { interruption } from './signals'

export function replayCommand(): Command {
  return new Command('replay')
    .description('rebuild rooms from the raw pages in the database, without a request to LCIC')
    .argument('[room_id...]', 'rooms to rebuild', roomIds)
    .option('--all', 'rebuild every room that was ever archived')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nRows that are as they should be are not written. Members that were erased stay away. --all passes over rooms whose\nraw pages were deleted by `prune`.\n\nExamples:\n  $ lcic-archive replay 312345678\n  $ lcic-archive replay --all\n',
    )
    .action(async (named: bigint[] | undefined, { all, json }: { all?: boolean; json?: boolean }) => {
      if (Boolean(all) === Boolean(named?.length)) {
        throw new UsageError('E_USAGE', `Give either room ids or --all${all ? ', not both' : ''}.`)
      }
      await using session = await openDatabase(readConfig())
      const { db } = session
      const startedAt = performance.now()
      const rooms = all ? await archivedRoomIds(db) : (named ?? [])
      const reports: ReplayReport[] = []
      const failures: { roomId: bigint; message: string }[] = []
      let toldAt = startedAt
      for (const roomId of rooms) {
        interruption.throwIfAborted()
        try {
          reports.push(await replayRoom(db, roomId))
        } catch (error) {
          if (!(error instanceof ArchiveError || error instanceof RangeError || isDataRefusal(error))) throw error
          failures.push({ roomId, message: `Room ${roomId}: ${describeError(error).message}` })
        }
        if (performance.now() - toldAt > 2000) {
          toldAt = performance.now()
          remark(`${reports.length + failures.length} of ${counted(rooms.length, 'room')} replayed`)
        }
      }
      const pruned = all ? await countPrunedRooms(db) : 0
      if (json)
        printJson({
          ...(all && { pruned }),
          rooms: reports.map(({ roomId, ...report }) => ({ room_id: roomId, ...report })),
          failures: failures.map(({ roomId, message }) => ({ room_id: roomId, message })),
        })
      else {
        printReplay(reports, failures, performance.now() - startedAt)
        if (pruned > 0) print(`${counted(pruned, 'room')} passed over: prune has deleted their raw pages.`)
      }
      setExitCode(failures.length > 0 ? ExitCode.incomplete : ExitCode.done)
    })
}

function printReplay(
  reports: readonly ReplayReport[],
  failures: readonly { message: string }[],
  durationMs: number,
): void {
  const changed = reports.filter(({ inserted, updated, removed }) => inserted + updated + removed > 0)
  if (changed.length > 0) {
    print(
      table(changed, [
        { title: 'room', value: ({ roomId }) => roomId, align: 'right' },
        { title: 'members', value: ({ records }) => records, align: 'right' },
        { title: 'inserted', value: ({ inserted }) => inserted, align: 'right' },
        { title: 'updated', value: ({ updated }) => updated, align: 'right' },
        { title: 'removed', value: ({ removed }) => removed, align: 'right' },
      ]),
    )
  }
  for (const { message } of failures) print(message)
  const notReplayed = failures.length > 0 ? `, ${failures.length} not` : ''
  print(
    `${counted(reports.length, 'room')} replayed${notReplayed}, ${changed.length} changed, in ${seconds(durationMs)}; no request was sent.`,
  )
}
