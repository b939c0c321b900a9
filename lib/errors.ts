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
