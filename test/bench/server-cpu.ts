import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Linux counts in hundredths of a second, whatever the kernel's own clock does. */
const MS_PER_TICK = 10

/** CPU that a PostgreSQL server has used so far, its ended backends included; `undefined` where there is no /proc. */
export async function serverCpuMs(dataDirectory: string): Promise<number | undefined> {
  const pidFile = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')
  const pid = pidFile.split('\n', 1)[0] ?? ''
  for (;;) {
    const postmaster = await ticksOf(pid)
    if (!postmaster) return undefined
    let ticks = postmaster.own + postmaster.endedChildren
    for (const name of await readdir('/proc')) {
      const process = /^\d+$/.test(name) ? await ticksOf(name) : undefined
      if (process?.parent === pid) ticks += process.own
    }
    // One that ends meanwhile is in neither sum.
    if ((await ticksOf(pid))?.endedChildren === postmaster.endedChildren) return ticks * MS_PER_TICK
  }
}

async function ticksOf(pid: string) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The program's name comes second, in parentheses, and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!fields) return undefined
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15).map(Number)
  return { parent: fields[1], own: utime + stime, endedChildren: cutime + cstime }
}
