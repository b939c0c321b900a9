import { isLoopback } from '../config'
import type { OwnRights } from '../db/read-own-rights'
import type { Finding } from './check'

/** Versions that the tests run on, and those in between. */
const OLDEST = 12
const NEWEST = 18

export function judgeVersion(version: number): Finding {
  if (version < OLDEST)
    return { status: 'fail', text: `PostgreSQL ${version} is too old`, mend: `Use PostgreSQL ${OLDEST} or newer.` }
  if (version <= NEWEST) return { status: 'pass', text: `PostgreSQL ${version}` }
  return {
    status: 'warn',
    text: `PostgreSQL ${version} is newer than any this version has been tested on`,
    mend: 'Look for a newer version of this program.',
  }
}

/**
 * Whether somebody on the way to the server could read along, or pose as it.
 *
 * @param tls how the connection is encrypted where it reaches the server; null if it is not
 */
export function judgeTls({ url, hasCa, tls }: { url: string; hasCa: boolean; tls: string | null }): Finding {
  const { hostname, searchParams } = new URL(url)
  const mode = searchParams.get('sslmode') ?? 'disable'
  const mend = 'Add sslmode=verify-full to DATABASE_URL, and the authority of the server to DATABASE_CA.'
  const isHere = hostname === '' || isLoopback(hostname)
  if (mode === 'disable')
    return isHere
      ? { status: 'pass', text: 'none, and none needed: the server is on this machine' }
      : { status: 'warn', text: `none: passwords, names and addresses go to ${hostname} in the clear`, mend }
  if (tls === null)
    return {
      status: 'warn',
      text: 'up to a pooler in between, and none from there to the server',
      mend: 'Have the pooler use TLS (PgBouncer: server_tls_sslmode = verify-full).',
    }
  if (mode === 'verify-full') return { status: 'pass', text: `${tls}, certificate and name verified` }
  if (mode === 'verify-ca' && hasCa) return { status: 'pass', text: `${tls}, certificate verified` }
  if (isHere) return { status: 'pass', text: `${tls}, not verified: the server is on this machine` }
  return mode === 'verify-ca'
    ? {
        status: 'warn',
        text: `${tls}, but any server with a certificate of a public authority could pose as ${hostname}`,
        mend,
      }
    : {
        status: 'warn',
        text: `${tls}, but nobody verifies the certificate: any server could pose as ${hostname}`,
        mend,
      }
}

/** Whether the role may do what workers need, and no more. */
export function judgeRights({
  role,
  isSuperuser,
  mayAdministrate,
  ownedTables,
  mayCreate,
  missing,
  excess,
}: OwnRights): Finding {
  if (missing.length > 0)
    return {
      status: 'fail',
      text: `${role} may not do what workers need: ${listed(missing)}`,
      mend: `Run lcic-archive migrate as the role that owns the archive, and grant lcic_writer to ${role}.`,
    }
  const tooMuch = isSuperuser
    ? 'is a superuser'
    : ownedTables > 0
      ? 'owns the tables, and may change and drop them'
      : mayCreate
        ? 'may create tables or schemas'
        : excess.length > 0
          ? `may do what no worker needs: ${listed(excess)}`
          : mayAdministrate
            ? 'may create roles or databases'
            : undefined
  if (tooMuch === undefined) return { status: 'pass', text: `${role} may do what workers need, and no more` }
  return {
    status: 'warn',
    text: `${role} ${tooMuch}`,
    mend: "Let workers log in as another role: create role lcic_worker login password '…' in role lcic_writer; keep this one for lcic-archive migrate.",
  }
}

const LISTED = 5

function listed(rights: readonly string[]): string {
  const more = rights.length - LISTED
  return `${rights.slice(0, LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** What LCIC allows for the actions that are asked most. Source: DescribeRoomStatistics, GetRooms. */
const API_RATE = 20

/** More slots than all workers together reserve ahead, and the longest pause after a refusal. */
const MOST_AHEAD = 200
const LONGEST_PAUSE_MS = 60_000

/** @param backlogsMs how far ahead slots have been handed out */
export function judgeBudget({
  requestsPerSecond,
  isSimulated,
  backlogsMs,
}: {
  requestsPerSecond: number
  isSimulated: boolean
  backlogsMs: readonly number[]
}): Finding {
  const aheadMs = Math.max(0, ...backlogsMs)
  if (aheadMs > LONGEST_PAUSE_MS + (MOST_AHEAD * 1000) / requestsPerSecond)
    return {
      status: 'warn',
      text: `the next request can be sent in ${Math.round(aheadMs / 1000)} s only: the clock of the database server has been ahead, or somebody with a far lower LCIC_REQUESTS_PER_SECOND shares the budget`,
      mend: 'Stop the workers, and as the role that owns the tables: delete from archive.budgets.',
    }
  if (requestsPerSecond > API_RATE && !isSimulated)
    return {
      status: 'warn',
      text: `${requestsPerSecond} requests a second, and LCIC allows ${API_RATE}`,
      mend: `Set LCIC_REQUESTS_PER_SECOND to ${API_RATE} or less.`,
    }
  const ahead = aheadMs >= 1000 ? `, the next one can be sent in ${(aheadMs / 1000).toFixed(1)} s` : ''
  return { status: 'pass', text: `${requestsPerSecond} requests a second${ahead}` }
}
