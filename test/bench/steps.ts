import type { Credentials } from '../../lib/config'

/** What the rooms hold: the API's documented fields; the same, 1 % of the records changed; a new field in 4 % of them. */
export type SourceState = 'documented' | 'changed' | 'undocumented'

/** So many rooms of so many members each. */
export interface SchoolSize {
  readonly rooms: number
  readonly members: number
}

/** Where the rooms are. */
export interface Source {
  readonly endpoint: string
  readonly credentials: Credentials
  readonly roomIds: readonly string[]
  /** Of each room. */
  readonly members: number
}

/** What a process is told that loads the rooms into a database. */
export interface LoadTask extends Source {
  readonly databaseUrl: string
  /** How the competent script writes. */
  readonly writes?: 'pages' | 'rows'
  /** Rooms that it has in hand at once. */
  readonly roomsAtOnce?: number
}

/** What the copying process is told. */
export interface CopyTask {
  readonly databaseUrl: string
  /** Rows in the text format of COPY. */
  readonly file: string
}

/** What a measured process tells of itself; its own start is not in it. */
export interface Measured {
  /** Member records that it has dealt with. */
  readonly rows: number
  readonly wallMs: number
  readonly cpuMs: number
  /** The most memory that the process ever had. */
  readonly peakRssBytes: number
  /** Rows of members that were inserted or updated, where the process knows. */
  readonly written?: number
  /** Statements sent, where they were counted. */
  readonly statements?: number
}
