import pg from 'pg'

/** Counts the statements that this process sends to PostgreSQL from now on. @returns how many there were so far */
export function countStatements(): () => number {
  const { query } = pg.Client.prototype
  let statements = 0
  pg.Client.prototype.query = function count(this: pg.Client, ...args: unknown[]) {
    statements++
    return Reflect.apply(query, this, args)
  }
  return () => statements
}
