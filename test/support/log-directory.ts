import { appendFileSync, openSync, readFileSync, writeSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { inject } from 'vitest'
import { createLog } from '../../lib/log'
import type { School } from '../../lib/simulator'

/**
 * The log of what a test calls, as verbose as can be. Once all tests are over it is looked through for secrets and
 * personal data.
 *
 * @param onLine is told each line, too
 */
export function testLog(onLine?: (line: string) => void) {
  return createLog('trace', {
    write(line) {
      collectLog(line)
      onLine?.(line)
    },
  })
}

/** The file that this process's logs are kept in, for other processes to write to as well: lines are appended. */
export function logFile(): string {
  return join(inject('logDirectory'), `${process.pid}.log`)
}

let opened: number | undefined

/** Adds what another process has logged, whole lines or several; texts that are no JSON, too. */
export function collectLog(text: string): void {
  if (!text) return
  // To open and close it for each line would take longer than to write it.
  opened ??= openSync(logFile(), 'a')
  writeSync(opened, text.endsWith('\n') ? text : `${text}\n`)
}

const inPlay = new Set<string | null | undefined>([undefined, null, ''])

/** Texts that must not be in any log of the run. Those that could be anything, `key` or `a`, are passed over; see log-scan.ts. */
export function keepOutOfLogs(texts: Iterable<string | null | undefined>): void {
  const added: string[] = []
  for (const text of texts) {
    if (inPlay.has(text)) continue
    inPlay.add(text)
    added.push(`${JSON.stringify(text)}\n`)
  }
  if (added.length > 0) appendFileSync(join(inject('logDirectory'), `${process.pid}.in-play`), added.join(''))
}

/** All that is personal in what the rooms of a school hold by now, and have been asked for. */
export function keepSchoolOutOfLogs(school: School): void {
  keepOutOfLogs(personalTexts(school))
}

function* personalTexts({ rooms }: School): Generator<string> {
  for (const room of rooms.values()) {
    const isDrawn = Object.getOwnPropertyDescriptor(room, 'members')?.get === undefined
    if (!isDrawn) continue
    for (const { UserName, IPAddress, Location } of room.members) {
      if (typeof UserName === 'string') yield UserName
      if (typeof Location === 'string') yield Location
      // Addresses proper are recognised by their form.
      if (typeof IPAddress === 'string' && !isIP(IPAddress)) yield IPAddress
    }
  }
}

/** The secrets of a process's environment, by their names; and the password of a database in its `.data`. */
export function keepEnvironmentOutOfLogs(
  environment: Readonly<Record<string, string | undefined>>,
  directory?: string,
): void {
  for (const [name, value = ''] of Object.entries(environment)) {
    if (/SECRET|TOKEN|PASSWORD|KEY/.test(name)) keepOutOfLogs([value])
    if (URL.canParse(value)) keepOutOfLogs([new URL(value).password, decoded(new URL(value).password)])
  }
  if (directory) keepOutOfLogs([passwordIn(directory)])
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function passwordIn(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, '.data', 'pgpass'), 'utf8')
      .trim()
      .split(':')
      .at(-1)
  } catch {
    return undefined
  }
}
