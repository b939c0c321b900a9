import { isAbsolute, relative } from 'node:path'
import { passwordFile, roleName } from './password'

/** What to type to look into the database. The secret stays in its file, which is named as seen from the work directory. */
export function psqlCommand(directory: string, port: number): string {
  const path = passwordFile(directory)
  const fromHere = relative(process.cwd(), path)
  const file = fromHere.startsWith('..') || isAbsolute(fromHere) ? path : fromHere
  return `PGPASSFILE='${file.replaceAll("'", "'\\''")}' psql -h 127.0.0.1 -p ${port} -U ${roleName} -d ${roleName}`
}
