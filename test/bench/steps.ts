import type { Credentials } from '../../lib/config'

/** What the room holds: the API's documented fields; the same, 1 % of the records changed; a new field in 4 % of them. */
export type SourceState = 'documented' | 'changed' | 'undocumented'

/** Where the room is. */
export interface Source {
  readonly endpoint: string
  readonly credentials: Credentials
  readonly roomId: string
}

/** What the archiving process is told. */
export interface ArchiveTask extends Source {
  readonly databaseUrl: string
}

/** What the copying process is told. */
export interface CopyTask {
  readonly databaseUrl: string
  /** Rows in the text format of COPY. */
  readonly file: string
}

/** What a measured process tells of itself; its own start is not in it. */
export interface Measured {
  readonly rows: number
  readonly outcome: string
  readonly wallMs: number
  /** Of these, until the last page was landed; what follows is the merge. */
  readonly pullMs?: number
  readonly cpuMs: number
  /** The most memory that the process ever had. */
  readonly peakRssBytes: number
}
