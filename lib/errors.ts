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
export class DatabaseError extends ArchiveError {}

/** An error as logs and tables may show it. */
export interface ErrorDescription {
  readonly type: string
  readonly code?: string | undefined
  readonly message: string
  readonly stack?: string | undefined
}

/**
 * What an error may say of itself. PostgreSQL quotes rows and values in its errors, names and addresses among them:
 * of those only the SQLSTATE, the constraint and the place in the code are kept.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) }
  const { name: type, stack } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (!('severity' in error)) return { type, code, message: error.message, stack }
  const place = 'constraint' in error && error.constraint ? ` (constraint ${error.constraint})` : ''
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return { type, code, message: `PostgreSQL refused with SQLSTATE ${code}${place}`, stack: frames?.join('\n') }
}
