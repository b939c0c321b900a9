import { createInterface } from 'node:readline'
import pg from 'pg'
import { openEmbeddedDatabase } from '../../lib/embedded'

/**
 * A stand-in for a command of the command line, to be run as a process of its own: opens the database, then does what
 * the lines of its standard input say, and answers each with a line of JSON.
 */
async function main(): Promise<void> {
  const answer = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`)
  try {
    const database = await openEmbeddedDatabase({
      ...JSON.parse(process.argv[2] ?? '{}'),
      onProgress: (message) => answer({ progress: message }),
    })
    const { url, psqlCommand, dataDirectory, port } = database
    answer({ opened: { url, psqlCommand, dataDirectory, port } })
    const client = new pg.Client(url)
    client.on('error', () => undefined)
    await client.connect()
    for await (const line of createInterface(process.stdin)) {
      if (line === 'forget') break
      if (line === 'close') {
        await client.end()
        await database.close()
        answer({ closed: true })
        return
      }
      answer({ rows: (await client.query(line)).rows })
    }
    await client.end()
  } catch (error) {
    const { code, message, stack } = error as NodeJS.ErrnoException
    answer({ failed: { code, message, stack } })
  } finally {
    // An open input would keep it alive, and it has to show that nothing else does.
    process.stdin.destroy()
  }
}

void main()
