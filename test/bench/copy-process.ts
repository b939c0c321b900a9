import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { runMeasured } from './measured'
import type { CopyTask } from './steps'

const CHUNK_BYTES = 256 * 1024

/** The floor: rows that are formatted already, into a table without keys, checks and indexes, in one transaction. */
runMeasured(async ({ databaseUrl, file }: CopyTask, measure) => {
  const text = await readFile(file)
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const { result, ...cost } = await measure(async () => {
    const copy = client.query(copyFrom('copy bare.rows from stdin'))
    await pipeline(Readable.from(chunksOf(text)), copy)
    return copy.rowCount
  })
  await client.end()
  return { ...cost, rows: result }
})

function* chunksOf(text: Buffer): Generator<Buffer> {
  for (let at = 0; at < text.length; at += CHUNK_BYTES) yield text.subarray(at, at + CHUNK_BYTES)
}
