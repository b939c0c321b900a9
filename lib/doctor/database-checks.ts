import type { Kysely } from 'kysely'
import type { Config } from '../config'
import { pendingMigrations } from '../db/migrate'
import { readBacklogs } from '../db/read-budgets'
import { readOwnRights } from '../db/read-own-rights'
import { readServer, type ServerSeen } from '../db/read-server'
import type { Database } from '../db/tables'
import type { Lcic } from '../lcic/client'
import type { Check } from './check'
import { judgeBudget, judgeRights, judgeTls, judgeVersion } from './judge-database'

export interface DatabaseToCheck {
  readonly config: Config
  readonly lcic: Lcic
  /** Opens it; called once. */
  readonly open: () => Promise<Kysely<Database>>
}

/** The embedded one may have to be made first, or recover, and says so. */
const EMBEDDED_MS = 120_000

/** Whether the database is there, and as it has to be. */
export function databaseChecks({ config, lcic, open }: DatabaseToCheck): Check[] {
  const { databaseUrl: url } = config
  let opened: { readonly db: Kysely<Database>; readonly server: ServerSeen } | undefined

  function found() {
    if (!opened) throw new TypeError('The database was not opened.')
    return opened
  }

  return [
    {
      name: 'database',
      ...(url === undefined && { timeoutMs: EMBEDDED_MS }),
      async look() {
        const db = await open()
        const server = await readServer(db)
        opened = { db, server }
        return {
          status: 'pass',
          text: `${url ? placeOf(url) : 'the embedded one in .data/'} answers, as ${server.role}`,
        }
      },
    },
    {
      name: 'database tls',
      needs: ['database'],
      async look() {
        if (!url) return { status: 'pass', text: 'none, and none needed: the server is on this machine' }
        return judgeTls({ url, hasCa: config.databaseCa !== undefined, tls: found().server.tls })
      },
    },
    {
      name: 'database version',
      needs: ['database'],
      look: async () => judgeVersion(found().server.version),
    },
    {
      name: 'migrations',
      needs: ['database', 'database version'],
      async look() {
        const { db, server } = found()
        if (!server.maySeeArchive)
          return {
            status: 'fail',
            text: `${server.role} may not use schema archive`,
            mend: `Grant lcic_writer to ${server.role}; if there is no such role, migrations/roles.sql makes it.`,
          }
        const pending = await pendingMigrations(db)
        return pending.length === 0
          ? { status: 'pass', text: 'all applied' }
          : {
              status: 'fail',
              text: `the database lacks ${pending.join(', ')}`,
              mend: 'Run lcic-archive migrate as a role that may create tables.',
            }
      },
    },
    {
      name: 'rights',
      needs: ['migrations'],
      async look() {
        if (!url) return { status: 'pass', text: 'all: nobody else uses the embedded database' }
        return judgeRights(await readOwnRights(found().db))
      },
    },
    {
      name: 'budget',
      needs: ['credentials', 'rights'],
      async look() {
        const budgets = (['DescribeRoomStatistics', 'GetRooms', 'DescribeRoom'] as const).map(lcic.budgetOf)
        const backlogs = await readBacklogs(found().db, budgets)
        return judgeBudget({
          requestsPerSecond: config.requestsPerSecond,
          isSimulated: config.lcic.endpoint.protocol === 'http:',
          backlogsMs: backlogs.map(({ backlogMs }) => backlogMs),
        })
      },
    },
  ]
}

/** Where it is, without the password. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${decodeURIComponent(pathname)}`
}
