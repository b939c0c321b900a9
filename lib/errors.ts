import { discreet } from './discretion'

/** What every error of this program has: a code to match on, and a message that names what is wrong and the mend. */
export class ArchiveError extends Error {
  constructor(
    /** Stable, upper case, `E_…`. */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The environment, a flag or an argument is wrong: nothing was done. */
export class UsageError extends ArchiveError {}

/** PostgreSQL could not be reached, or is not as this program needs it. */
export class DatabaseError extends ArchiveError {
  // A bundle calls the class DatabaseError2, because pg has a DatabaseError, too.
  static override readonly name: string = 'DatabaseError'
}

/** An error as logs and tables may show it. */
export interface ErrorDescription {
  readonly type: string
  readonly code?: string | undefined
  readonly message: string
  readonly stack?: string | undefined
}

/**
 * What an error may say of itself: no addresses, and no passwords of URLs. PostgreSQL quotes rows and values in its errors,
 * and parsers quote what they cannot read, names and addresses among them: of those only the SQLSTATE, the constraint, and
 * the place in the code are kept.
 */
export function describeError(error: unknown): ErrorDescription {
  // Whatever else is thrown may be a whole answer.
  if (!(error instanceof Error)) return { type: typeof error, message: discreet(String(error).slice(0, 200)) }
  const { name: type, stack } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const own = ownMessage(error, code)
  if (own === undefined) return { type, code, message: discreet(messageOf(error)), stack: stack && discreet(stack) }
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return { type, code, message: own, stack: frames?.join('\n') }
}

/** What is said in place of a message that quotes. */
function ownMessage(error: Error, code: string | undefined): string | undefined {
  if (error instanceof SyntaxError) return 'A text could not be read: it is not of the form that is expected'
  if (!('severity' in error)) return undefined
  const place = 'constraint' in error && error.constraint ? ` (constraint ${error.constraint})` : ''
  return `PostgreSQL refused with SQLSTATE ${code}${place}`
}

/** Where a host has several addresses, the reasons are in a list, and the message is empty. */
function messageOf(error: Error): string {
  if (error.message || !(error instanceof AggregateError)) return error.message
  return error.errors.map((reason) => (reason instanceof Error ? reason.message : String(reason))).join('; ')
}
