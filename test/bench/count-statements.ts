import pg from 'pg'

let statements = 0
const { query } = pg.Client.prototype
pg.Client.prototype.query = function count(this: pg.Client, ...args: unknown[]) {
  statements++
  return Reflect.apply(query, this, args)
}

/** Counts the statements that this process sends to PostgreSQL from now on. @returns how many there were so far */
export function countStatements(): () => number {
  const before = statements
  return () => statements - before
}
