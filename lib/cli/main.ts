#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import pg from 'pg'
import { version } from '../../package.json'
import { databaseUnreachable, isConnectionProblem } from '../db/connect'
import { ArchiveError, DatabaseError, UsageError } from '../errors'
import { mendOf, SourceError } from '../lcic/errors'
import { ScenarioError } from '../simulator'
import { archiveCommand } from './archive'
import { backfillCommand } from './backfill'
import { demoCommand } from './demo'
import { docsCommand } from './docs'
import { doctorCommand } from './doctor'
import { eraseMemberCommand } from './erase-member'
import { ExitCode, setExitCode } from './exit-code'
import { exportCommand } from './export'
import { migrateCommand } from './migrate'
import { endQuietlyWithReaders, remark } from './output'
import { pruneCommand } from './prune'
import { replayCommand } from './replay'
import { reportCommand } from './report'
import { retryCommand } from './retry'
import { runCommand } from './run'
import { serveCommand } from './serve'
import { InterruptedError, interruption, listenForSignals } from './signals'
import { simulateCommand } from './simulate'
import { sqlCommand } from './sql'
import { statusCommand } from './status'
import { sweepCommand } from './sweep'

async function main(): Promise<void> {
  endQuietlyWithReaders()
  listenForSignals()
  try {
    await createProgram().parseAsync()
  } catch (error) {
    setExitCode(tell(error))
  }
}

function createProgram(): Command {
  const commands = [
    archiveCommand,
    runCommand,
    serveCommand,
    sweepCommand,
    backfillCommand,
    statusCommand,
    doctorCommand,
    retryCommand,
    replayCommand,
    eraseMemberCommand,
    pruneCommand,
    reportCommand,
    sqlCommand,
    exportCommand,
    docsCommand,
    migrateCommand,
    simulateCommand,
    demoCommand,
  ]
  const program = new Command('lcic-archive')
    .description('Archives the statistics of Tencent Cloud LCIC classes into PostgreSQL, completely and provably.')
    .version(version)
    .addHelpText(
      'after',
      `
Start here:
  $ lcic-archive demo

Environment (all optional for the demo):
  TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY   credentials; TENCENTCLOUD_SESSION_TOKEN for temporary ones
  DATABASE_URL                                      PostgreSQL 12 to 18; without it an embedded one in .data/
  LCIC_ENDPOINT, LCIC_REGION                        default https://lcic.tencentcloudapi.com, no region
  LCIC_SDK_APP_IDS                                  the apps to sweep, with commas between
  LCIC_CALLBACK_KEY, LCIC_CALLBACK_UNSIGNED         for serve: the key of the app's callback; reject (default) or accept
  LCIC_REQUESTS_PER_SECOND                          default 20, what the API allows
  ARCHIVE_SWEEP_LOOKBACK, ARCHIVE_GIVE_UP_AFTER     how far back sweeps look (76h); when a room counts as failed (7d)
  ARCHIVE_REREAD_AFTER                              when an archived room is read once more (24h), or off
  ARCHIVE_PERSONAL_DATA, ARCHIVE_PSEUDONYM_KEY      names, addresses and ids: keep (default), pseudonymise or drop; its secret
  ARCHIVE_KEEP_RAW_PAGES, ARCHIVE_KEEP_MEMBERS      for prune: how long, such as 365d, or off (default)
  ARCHIVE_KEEP_CALLBACKS                            likewise, default 90d
  LOG_LEVEL                                         default info; on a terminal error`,
    )
  for (const command of commands) {
    program.addCommand(command().showHelpAfterError('\n(--help shows more)').exitOverride())
  }
  return program.exitOverride()
}

/** Tells what went wrong and what helps. @returns the exit code */
function tell(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage
  if (interruption.aborted) {
    if (error instanceof InterruptedError) remark(error.message)
    return ExitCode.interrupted
  }
  const isUsage = error instanceof UsageError || error instanceof ScenarioError
  if (isUsage) return failed(error, ExitCode.usage)
  const cause = error instanceof DatabaseError && error.code === 'E_MIGRATION' ? error.cause : error
  if (isConnectionProblem(cause)) return failed(databaseUnreachable(cause), ExitCode.unreachable)
  if (error instanceof DatabaseError) return failed(error, error === cause ? ExitCode.unreachable : ExitCode.usage)
  if (error instanceof SourceError) {
    if (error.kind !== 'configuration') return failed(error, ExitCode.unreachable)
    return failed({ message: `${error.message} ${mendOf(error.code)}`, code: error.code }, ExitCode.usage)
  }
  if (error instanceof ArchiveError) return failed(error, ExitCode.incomplete)
  // A refusal by PostgreSQL itself: a wrong query, a right that is missing.
  if (error instanceof pg.DatabaseError) {
    const hint = error.hint ? ` ${error.hint}` : ''
    return failed({ message: `PostgreSQL says: ${error.message}.${hint}`, code: error.code ?? '' }, ExitCode.usage)
  }
  remark(error instanceof Error ? `lcic-archive: ${error.stack}` : `lcic-archive: ${error}`)
  return ExitCode.incomplete
}

function failed({ message, code }: { message: string; code: string }, exitCode: ExitCode): ExitCode {
  remark(`lcic-archive: ${message} [${code}]`)
  return exitCode
}

void main()
