/** What the process ends with. */
export enum ExitCode {
  done = 0,
  /** Some rooms are not archived. */
  incomplete = 1,
  /** Usage or configuration. */
  usage = 2,
  /** LCIC or the database could not be reached. */
  unreachable = 3,
  interrupted = 130,
}

/** Sets it without ending the process, so that everything that is open is closed first. */
export function setExitCode(code: ExitCode): void {
  process.exitCode = code
}
