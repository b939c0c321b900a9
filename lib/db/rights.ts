/**
 * The roles that people make login roles members of: who migrates, what archives (functions, workers, commands), and what
 * only looks how far the archive is.
 */
export type GroupRole = 'lcic_migrator' | 'lcic_writer' | 'lcic_reader'

/** All columns, those that are added later included, or only these. */
type Columns = true | readonly string[]

export type Verb = 'select' | 'insert' | 'update' | 'delete'

export interface RoleRights {
  readonly database: readonly ('connect' | 'create')[]
  readonly schema: readonly 'usage'[]
  /** By table of schema archive. */
  readonly tables: Readonly<Record<string, Readonly<Partial<Record<Verb, Columns>>>>>
}

/**
 * What each role may do: so much, and nothing else. A migration that adds a table, or a statement that asks for more, adds
 * a line here; `migrate` grants what is missing and takes back what is too much.
 */
export const rights: Readonly<Record<GroupRole, RoleRights>> = {
  // It owns the schema and all tables, which is more than can be granted.
  lcic_migrator: { database: ['connect', 'create'], schema: [], tables: {} },
  lcic_writer: {
    database: ['connect'],
    schema: ['usage'],
    tables: {
      jobs: { select: true, insert: true, update: true },
      rooms: { select: true, insert: true, update: true },
      member_records: { select: true, insert: true, update: true },
      raw_pages: { select: true, insert: true, update: true, delete: true },
      runs: { select: true, insert: true, update: true },
      // Whether a revision is there already; what it held is nobody's business that archives.
      history: { select: ['room_id', 'revision', 'user_id'], insert: true },
      known_rooms: { select: true, insert: true, update: true },
      sweeps: { select: true, insert: true, update: true },
      budgets: { select: true, insert: true, update: true },
      invocations: { select: true, insert: true, update: true },
      callbacks: { insert: true },
      migrations: { select: true },
    },
  },
  // What `status` reads. Nothing of it is personal data: neither names nor teachers of classes are among it.
  lcic_reader: {
    database: ['connect'],
    schema: ['usage'],
    tables: {
      jobs: {
        select: [
          'room_id',
          'sdk_app_id',
          'state',
          'due_at',
          'attempts',
          'last_error_code',
          'last_error_message',
          'last_request_id',
          'ended_at',
          'created_at',
          'deadline_at',
          'reason',
        ],
      },
      rooms: { select: ['real_end_at', 'archived_at'] },
      known_rooms: { select: ['room_id', 'sdk_app_id', 'status', 'scheduled_end_at', 'real_end_at'] },
      sweeps: { select: true },
      budgets: { select: true },
      migrations: { select: true },
    },
  },
}

export const groupRoles = Object.keys(rights) as GroupRole[]

/** Tables of schema archive, in which rights are set as above; those that somebody else made there are left alone. */
export const ownTables: readonly string[] = [
  ...new Set(Object.values(rights).flatMap(({ tables }) => Object.keys(tables))),
  'migrations_lock',
]

/** One right, as it is granted. */
export interface Right {
  readonly role: string
  readonly on: 'database' | 'schema' | 'table'
  readonly verb: string
  /** Of schema archive; only where it is `on` a table. */
  readonly table: string | null
  /** Null: the whole table. */
  readonly column: string | null
}

/** What a role may do, right by right. */
export function rightsOf(role: GroupRole): Right[] {
  const { database, schema, tables } = rights[role]
  return [
    ...database.map((verb): Right => ({ role, on: 'database', verb, table: null, column: null })),
    ...schema.map((verb): Right => ({ role, on: 'schema', verb, table: null, column: null })),
    ...Object.entries(tables).flatMap(([table, verbs]) =>
      Object.entries(verbs).flatMap(([verb, columns]) =>
        (columns === true ? [null] : columns).map((column): Right => ({ role, on: 'table', verb, table, column })),
      ),
    ),
  ]
}
