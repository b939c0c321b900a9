import type pg from 'pg'
import type { Cost } from './report'
import { serverCpuMs } from './server-cpu'
import type { Measured } from './steps'

/** What a step costs the server, beside what its process tells. */
export async function costOnServer(
  admin: pg.Client,
  dataDirectory: string,
  run: () => Promise<Measured>,
): Promise<Cost> {
  const walBefore = await walPosition(admin)
  const cpuBefore = await serverCpuMs(dataDirectory)
  const measured = await run()
  const cpuAfter = await serverCpuMs(dataDirectory)
  const walBytes = (await walPosition(admin)) - walBefore
  const serverCpu = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore
  return { ...measured, walBytes, ...(serverCpu !== undefined && { serverCpuMs: serverCpu }) }
}

async function walPosition(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query(`select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes`)
  return Number(rows[0].bytes)
}
