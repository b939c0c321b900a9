import { ArchiveError, UsageError } from '../errors'

/** What the system's codes of failed writes mean for an export; what is no such failure is handed back as it is. */
export function exportError(error: unknown, directory: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return error
  const { code, message } = error
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
    case 'EEXIST':
    case 'ENOENT':
      return new UsageError(
        'E_EXPORT_DIRECTORY',
        `${directory} cannot be written to (${code}). Name a directory that this user may create files in.`,
        { cause: error },
      )
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new ArchiveError(
        'E_EXPORT_SPACE',
        `There is no room for the export in ${directory} (${code}). Free some, and run it again: months that are written stay.`,
        { cause: error },
      )
    case 'EIO':
    case 'EMFILE':
    case 'ENFILE':
    case 'ENAMETOOLONG':
      return new ArchiveError('E_EXPORT_WRITE', `The export could not be written to ${directory}: ${message}.`, {
        cause: error,
      })
    default:
      return error
  }
}
