import { DuckDBInstance } from '@duckdb/node-api'

/** The first row of DuckDB's answer. */
export async function askDuckDb(query: string): Promise<Record<string, unknown>> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const [row = {}] = (await connection.runAndReadAll(query)).getRowObjectsJS()
  connection.closeSync()
  instance.closeSync()
  return row
}
