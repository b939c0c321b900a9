import pg from 'pg'
import { abortable, linkedController } from '../abort'
import { databaseUnreachable, isConnectionProblem } from '../db/connect'
import { ArchiveError, DatabaseError } from '../errors'
import { isUnreachable, mendOf, SourceError } from '../lcic/errors'

/** What a look at one thing found. */
export interface Finding {
  readonly status: 'pass' | 'warn' | 'fail'
  /** Without secrets. */
  readonly text: string
  /** What to do about it; absent where nothing is to be done, or the text says it. */
  readonly mend?: string
  /** LCIC or the database is out of reach, whatever the configuration says. */
  readonly isUnreachable?: boolean
}

/** One thing to look at. */
export interface Check {
  readonly name: string
  /** Names of checks without which this one has nothing to look at. */
  readonly needs?: readonly string[]
  /** Where it may take longer than the others. */
  readonly timeoutMs?: number
  /** What it throws is a finding, too, if it is the source's, the database's or the configuration's fault. */
  look(signal: AbortSignal): Promise<Finding>
}

/** What came of a check; those that need one which failed are skipped. */
export interface Checked extends Omit<Finding, 'status'> {
  readonly name: string
  readonly status: Finding['status'] | 'skip'
}

export interface CheckOptions {
  /** No check takes longer, unless it says so. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Told of a check that takes more than two seconds. */
  readonly onSlow?: (name: string) => void
}

const SLOW_MS = 2000

/** Makes the checks, one after the other. @throws the signal's reason once aborted, and what is a fault of this program */
export async function* runChecks(checks: readonly Check[], options: CheckOptions): AsyncGenerator<Checked> {
  /** What cannot be used, and the checks that failed which it is due to. */
  const unusable = new Map<string, readonly string[]>()
  for (const check of checks) {
    const { name, needs = [] } = check
    const reasons = [...new Set(needs.flatMap((need) => unusable.get(need) ?? []))]
    const checked: Checked =
      reasons.length > 0
        ? { name, status: 'skip', text: `not looked at, because ${reasons.join(' and ')} failed` }
        : { name, ...(await lookInTime(check, options)) }
    if (checked.status === 'skip') unusable.set(name, reasons)
    if (checked.status === 'fail') unusable.set(name, [name])
    yield checked
  }
}

async function lookInTime(
  { name, look, ...check }: Check,
  { signal, onSlow, ...options }: CheckOptions,
): Promise<Finding> {
  const timeoutMs = check.timeoutMs ?? options.timeoutMs
  const limit = linkedController(signal)
  const late = new Error('late')
  const timers = [setTimeout(() => limit.abort(late), timeoutMs), setTimeout(() => onSlow?.(name), SLOW_MS)]
  try {
    return await abortable(look(limit.signal), limit.signal)
  } catch (error) {
    signal?.throwIfAborted()
    if (limit.signal.aborted)
      return {
        status: 'fail',
        text: `no answer within ${timeoutMs / 1000} s`,
        mend: 'Check the network.',
        isUnreachable: true,
      }
    return findingOf(error)
  } finally {
    for (const timer of timers) clearTimeout(timer)
    limit.unlink()
  }
}

/** What an error says of what was looked at. @throws the error, if it says nothing of it */
function findingOf(error: unknown): Finding {
  if (isConnectionProblem(error))
    return { status: 'fail', text: databaseUnreachable(error).message, isUnreachable: true }
  if (error instanceof SourceError) {
    const { code, kind, message, requestId } = error
    const text = `LCIC says ${code}: ${message}${requestId ? ` (RequestId ${requestId})` : ''}`
    if (kind === 'configuration') return { status: 'fail', text, mend: mendOf(code) }
    return { status: 'fail', text: isUnreachable(code) ? message : text, isUnreachable: true }
  }
  if (error instanceof ArchiveError)
    return { status: 'fail', text: error.message, isUnreachable: error instanceof DatabaseError }
  if (error instanceof pg.DatabaseError) return { status: 'fail', text: `PostgreSQL says: ${error.message}.` }
  throw error
}
