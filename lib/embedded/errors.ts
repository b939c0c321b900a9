import { DatabaseError } from '../errors'

export type EmbeddedDatabaseErrorCode =
  /** No binaries are made for this operating system, processor or C library. */
  | 'E_EMBEDDED_UNSUPPORTED'
  /** The npm package with the binaries is not there. */
  | 'E_EMBEDDED_NOT_INSTALLED'
  /** Started by root, and there is no ordinary user to run PostgreSQL as. */
  | 'E_EMBEDDED_USER'
  /** The directory cannot be used: not writable, another user's, or full of something else. */
  | 'E_EMBEDDED_DIRECTORY'
  /** The data were written by another major version. */
  | 'E_EMBEDDED_VERSION'
  /** The data are there and their password is not. */
  | 'E_EMBEDDED_PASSWORD'
  /** `initdb` failed. */
  | 'E_EMBEDDED_INIT'
  /** The server ended before it was ready. */
  | 'E_EMBEDDED_START'
  /** The server neither becomes ready nor goes away. */
  | 'E_EMBEDDED_TIMEOUT'

/** The embedded PostgreSQL cannot be had; the message says why and what helps. */
export class EmbeddedDatabaseError extends DatabaseError {
  declare readonly code: EmbeddedDatabaseErrorCode

  constructor(code: EmbeddedDatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** The code that the operating system (`ENOENT`), PostgreSQL (`57P01`) or we gave what failed. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** For `catch`: nothing there is an answer, not a failure. */
export function undefinedIfAbsent(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error
}
