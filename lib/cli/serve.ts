import { Command, InvalidArgumentError, Option } from 'commander'
import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { openContext } from '../archive/open-context'
import type { Config } from '../config'
import { connect } from '../db/connect'
import type { Database } from '../db/tables'
import { createLog } from '../log'
import { duration, wholeNumber } from './arguments'
import { ExitCode, setExitCode } from './exit-code'
import { print } from './output'
import { openDatabase, readConfigWithCredentials } from './session'
import { endAfter, interruption } from './signals'

interface ServeArguments {
  readonly port: number
  readonly host: string
  readonly metricsPort?: number
  readonly sweepEvery: number
}

/** It has this long to answer callbacks in hand and to give back its rooms. */
const STOP_WITHIN_MS = 4500

/** Two for callbacks, one each for /healthz and /metrics; the worker has three of its own. */
const CONNECTIONS = 4

/** What a callback waits for takes milliseconds. */
const SILENCE_MS = 20_000

export function serveCommand(): Command {
  return new Command('serve')
    .description("receive LCIC's callbacks, archive and sweep, for hosts without SCF, until told to stop")
    .option('--port <port>', 'where to listen', wholeNumber(0, 65535), 9702)
    .option('--host <address>', 'on which address: 0.0.0.0 in a container, behind its proxy', '127.0.0.1')
    .option('--metrics-port <port>', 'give /metrics there, and not beside /callback', wholeNumber(0, 65535))
    .addOption(
      new Option('--sweep-every <duration>', 'how often to sweep; 0: never, where others do')
        .argParser(pace)
        .default(600_000, '10m'),
    )
    .addHelpText(
      'after',
      `
POST /callback   LCIC says that a class has ended: stored before it is answered, then archived
GET  /healthz    200 while the database takes writes and the worker lives; 503, and why not, otherwise
GET  /metrics    for Prometheus: jobs by state, oldest due, budget, runs, callbacks, freshness, sweeps

One process does it all: it is a worker as \`run\` is, and sweeps the apps of LCIC_SDK_APP_IDS at its start and every ten
minutes. As many as you like may run; each keeps up to seven connections to the database. Set LCIC_CALLBACK_KEY to the key
of the app's callback: without it callbacks are refused (LCIC_CALLBACK_UNSIGNED=accept takes unsigned ones).

LCIC calls back on ports 80 and 443 only: put a proxy with TLS in front, and let it pass on /callback and nothing else.
/metrics holds no personal data, but tells app ids and how the archive fares, which is nobody's business outside; where a
proxy passes on everything, --metrics-port keeps it away from there. For Caddy:
  archive.example.com {
    handle /callback* { reverse_proxy 127.0.0.1:9702 }
    handle { respond 404 }
  }
Then register https://archive.example.com/callback and its key as the app's callback (console, or ModifyApp).

SIGTERM: it takes no more connections, answers the callbacks it has, gives back its rooms, and ends with 0 within 5 s. A
process that is killed loses nothing that it answered. With systemd:
  [Service]
  EnvironmentFile=/etc/lcic-archive.env
  ExecStart=node /opt/lcic-archive/dist/lcic-archive.cjs serve
  Restart=always
In a container: \`node dist/lcic-archive.cjs serve --host 0.0.0.0\` (not through npx, which does not pass signals on), with
/healthz as readiness check; not as a reason to restart: a database that is away is waited for.

Exit code: 0 told to stop; 2 usage or configuration; 3 the database is out of reach at the start. Wrong credentials are
told by the log and by /healthz, as callbacks are worth taking meanwhile.

Example:
  $ LCIC_SDK_APP_IDS=1400000001 LCIC_CALLBACK_KEY=… lcic-archive serve
`,
    )
    .action(async ({ port, host, metricsPort, sweepEvery }: ServeArguments) => {
      const config = readConfigWithCredentials()
      endAfter(STOP_WITHIN_MS)
      const log = createLog(config.logLevel ?? 'info')
      await using session = await openDatabase(config)
      const { url } = session
      const ca = config.databaseCa
      await using desk = owned(connect({ url, ...(ca && { ca }), max: CONNECTIONS, silenceMs: SILENCE_MS }))
      using context = openContext(config, { db: session.db, log })
      tellWhatLacks(config, log)
      // Its packages load an HTTP client of Node's that no other command needs.
      const { serve } = await import('../serve')
      await serve({
        config,
        context,
        db: desk.db,
        log,
        host,
        port,
        metricsPort,
        sweepEveryMs: sweepEvery,
        signal: interruption,
        onListening: ({ url, metricsUrl }) => print(`Listening on ${url}; metrics on ${metricsUrl}/metrics`),
      })
      setExitCode(ExitCode.done)
    })
}

/** Sweeps ask LCIC for everything that it lists. */
const LEAST_PACE_MS = 30_000

function pace(text: string): number {
  const everyMs = duration(text)
  if (everyMs === 0 || everyMs >= LEAST_PACE_MS) return everyMs
  throw new InvalidArgumentError('Give 30s or more, or 0 for no sweeps.')
}

function owned(db: Kysely<Database>): AsyncDisposable & { readonly db: Kysely<Database> } {
  return { db, [Symbol.asyncDispose]: () => db.destroy() }
}

/** What it can do without, but hardly wants to. */
function tellWhatLacks({ callback, sdkAppIds }: Config, log: Logger): void {
  if (callback.key === undefined && !callback.acceptUnsigned) {
    log.warn('LCIC_CALLBACK_KEY is not set: all callbacks are refused; rooms are found by sweeps alone')
  }
  if (callback.acceptUnsigned) log.warn('LCIC_CALLBACK_UNSIGNED=accept: anybody can make rooms due')
  if (sdkAppIds.length === 0)
    log.warn('LCIC_SDK_APP_IDS is not set: no app is swept; rooms are known by callbacks alone')
}
