import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import pg from 'pg'

/** More than there are statements; texts that are made anew each time must not fill the server's memory. */
const MOST_PREPARED = 100

/** SQLSTATEs that say that a prepared statement is not there, or is there already: a pooler gives each transaction another connection. */
const NOT_OURS = ['26000', '42P05']

/** SQLSTATE of what would write on a server that only reads, by now perhaps no longer; the session's default remains. */
const READ_ONLY = '25006'

/** SQLSTATE of a prepared statement whose columns a migration has changed. */
const OUTDATED = '0A000'

/**
 * The pool, for Kysely, with each statement prepared that comes a second time: to plan one of ours takes PostgreSQL longer
 * than to run it on a small room. Behind a pooler that cannot keep prepared statements, the first that is lost fails, and no
 * other is prepared.
 */
export function poolForKysely(pool: pg.Pool): PostgresPool {
  const names = createNames()
  const clients = new WeakMap<pg.PoolClient, PostgresPoolClient>()
  return {
    async connect() {
      const client = await pool.connect()
      const known = clients.get(client) ?? new PreparingClient(client, names)
      clients.set(client, known)
      return known
    },
    end: () => pool.end(),
  }
}

class PreparingClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient
  readonly #names: Names
  #isSpent = false

  constructor(client: pg.PoolClient, names: Names) {
    this.#client = client
    this.#names = names
  }

  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  query<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>>
  query(text: unknown, values: readonly unknown[] = []): unknown {
    if (typeof text !== 'string') throw new TypeError('Cursors are not used here.')
    return this.#query(text, values)
  }

  async #query(text: string, values: readonly unknown[]) {
    const name = values.length > 0 ? this.#names.of(text) : undefined
    try {
      return await this.#client.query({ ...(name !== undefined && { name }), text, values: [...values] })
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
      this.#names.failed(text, error.code ?? '')
      this.#isSpent ||= error.severity === 'FATAL' || error.code === READ_ONLY
      throw error
    }
  }

  /** One that the server is about to end, or that may still be in a transaction, is not lent once more. */
  release(isSpent = false): void {
    this.#client.release(isSpent || this.#isSpent)
  }
}

/** What statements are prepared as, the same on all connections. */
interface Names {
  /** `undefined`: not to be prepared. */
  of(text: string): string | undefined
  failed(text: string, sqlState: string): void
}

function createNames(): Names {
  const seen = new Set<string>()
  const names = new Map<string, string>()
  let given = 0
  let arePossible = true
  return {
    of(text) {
      if (!arePossible) return undefined
      const known = names.get(text)
      if (known !== undefined || names.size === MOST_PREPARED) return known
      if (seen.size === MOST_PREPARED) seen.clear()
      if (!seen.has(text)) {
        seen.add(text)
        return undefined
      }
      const name = `lcic_archive_${++given}`
      names.set(text, name)
      return name
    },
    failed(text, sqlState) {
      if (NOT_OURS.includes(sqlState)) arePossible = false
      // Under another name it is planned anew.
      if (sqlState === OUTDATED) names.delete(text)
    },
  }
}
