import { type Kysely, sql } from 'kysely'
import type { Database } from './tables'

/** What a server says of itself and of this connection. */
export interface ServerSeen {
  /** Such as 18. */
  readonly version: number
  readonly role: string
  /** Whether this connection is encrypted where it reaches the server, and how. */
  readonly tls: string | null
  /** The role can look into schema archive, or there is none. */
  readonly maySeeArchive: boolean
}

export async function readServer(db: Kysely<Database>): Promise<ServerSeen> {
  const { rows } = await sql<ServerSeen>`
    select current_setting('server_version_num')::int / 10000 as version, current_user::text as role,
      (select s.version from pg_stat_ssl s where s.pid = pg_backend_pid() and s.ssl) as tls,
      coalesce((
        select has_schema_privilege(oid, 'usage') from pg_namespace where nspname = 'archive'), true) as "maySeeArchive"
    `.execute(db)
  const [server] = rows
  if (!server) throw new TypeError('The server said nothing.')
  return server
}
