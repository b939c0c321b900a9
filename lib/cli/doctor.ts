import { Command } from 'commander'
import { readConfig } from '../config'
import { connect } from '../db/connect'
import { type Checked, examine } from '../doctor'
import { ExitCode, setExitCode } from './exit-code'
import { counted, print, printable, printJson, remark } from './output'
import { type DatabaseSession, openDatabase } from './session'
import { endAfter, interruption } from './signals'

/** Nothing that is asked takes longer; a dead connection must not keep the command from ending. */
const SILENCE_MS = 9_000

/** Who is told to stop does not wait for a connection that may never come. */
const END_MS = 2_000

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check credentials, clock, LCIC, the database and its rights, and say what to mend')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
One line for each thing that archiving depends on: pass; warn, it works and could be safer; fail, with what to mend; or
skip, where something it needs has failed. It sends LCIC a handful of requests, each in a slot of the shared budget, and
changes nothing. Run it where the workers run, in their environment: what is right on one machine may not be on another.

How far the archive is, and what is overdue, lcic-archive status says.

Exit code: 0 nothing has failed, 2 something has to be mended, 3 LCIC or the database is out of reach.

Examples:
  $ lcic-archive doctor
  $ lcic-archive doctor --json | jq '.checks[] | select(.status != "pass")'
`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const config = readConfig()
      endAfter(END_MS)
      let session: Promise<Pick<DatabaseSession, 'db' | typeof Symbol.asyncDispose>> | undefined
      const examination = examine({
        config,
        async openDatabase() {
          session =
            config.databaseUrl === undefined ? openDatabase(config) : openOwn(config.databaseUrl, config.databaseCa)
          return (await session).db
        },
        signal: interruption,
        onSlow: (name) => remark(`${name} takes a while …`),
      })
      const checks: Checked[] = []
      try {
        for await (const checked of examination) {
          checks.push(checked)
          if (!json) print(lineOf(checked))
        }
      } finally {
        await (await session?.catch(() => undefined))?.[Symbol.asyncDispose]()
      }
      if (json) printJson({ healthy: checks.every(({ status }) => status !== 'fail'), checks: checks.map(jsonOf) })
      else print(`\n${summaryOf(checks)}`)
      setExitCode(exitCodeOf(checks))
    })
}

/** Somebody's database, as it is: what it lacks is a finding. */
async function openOwn(url: string, ca: string | undefined) {
  const db = connect({ url, silenceMs: SILENCE_MS, ...(ca !== undefined && { ca }) })
  return { db, [Symbol.asyncDispose]: () => db.destroy() }
}

/** As wide as the longest name that is not an app's. */
const NAME_WIDTH = 'database version'.length

export function lineOf({ status, name, text, mend }: Checked): string {
  return `${status}  ${name.padEnd(NAME_WIDTH)}  ${printable(sentencesOf(text, mend))}`
}

function sentencesOf(text: string, mend: string | undefined): string {
  return mend === undefined ? text : `${text.replace(/\.$/, '')}. ${mend}`
}

function summaryOf(checks: readonly Checked[]): string {
  const number = (status: Checked['status']) => checks.filter((checked) => checked.status === status).length
  const [failed, warned, skipped] = [number('fail'), number('warn'), number('skip')]
  if (failed + warned === 0) return 'All is well.'
  const parts = [
    failed > 0 && `${failed} failed`,
    warned > 0 && counted(warned, 'warning'),
    skipped > 0 && `${skipped} not looked at`,
  ]
  return `${counted(checks.length, 'check')}: ${parts.filter(Boolean).join(', ')}.`
}

export function exitCodeOf(checks: readonly Checked[]): ExitCode {
  const failed = checks.filter(({ status }) => status === 'fail')
  if (failed.some(({ isUnreachable }) => isUnreachable)) return ExitCode.unreachable
  return failed.length > 0 ? ExitCode.usage : ExitCode.done
}

function jsonOf({ name, status, text, mend }: Checked) {
  return { name, status, text, mend: mend ?? null }
}
