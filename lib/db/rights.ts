/**
 * The roles that people make login roles members of: who migrates, what archives (functions, workers, commands), what only
 * looks how far the archive is, who analyses it, and who of those may see names and addresses, too.
 */
export type GroupRole = 'lcic_migrator' | 'lcic_writer' | 'lcic_monitor' | 'lcic_reader' | 'lcic_pii_reader'

/** Schemas of views alone. */
export const viewSchemas = ['analytics', 'analytics_pii'] as const

type ViewSchema = (typeof viewSchemas)[number]

export const schemas: readonly string[] = ['archive', ...viewSchemas]

/** All columns, those that are added later included, or only these. */
type Columns = true | readonly string[]

export type Verb = 'select' | 'insert' | 'update' | 'delete'

export interface RoleRights {
  readonly database: readonly ('connect' | 'create')[]
  /** By table of schema archive, which it may use if there are any. */
  readonly tables: Readonly<Record<string, Readonly<Partial<Record<Verb, Columns>>>>>
  /** It may read every view that these schemas have or will have, and nothing that the views read from. */
  readonly views: readonly ViewSchema[]
}

/**
 * What each role may do: so much, and nothing else. A migration that adds a table, or a statement that asks for more, adds
 * a line here; `migrate` grants what is missing and takes back what is too much.
 */
export const rights: Readonly<Record<GroupRole, RoleRights>> = {
  // It owns the schemas and all that is in them, which is more than can be granted.
  lcic_migrator: { database: ['connect', 'create'], tables: {}, views: [] },
  lcic_writer: {
    database: ['connect'],
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
      // Whose records are to be left out.
      erasures: { select: ['erasure_id', 'sdk_app_id', 'digests'] },
      erasure_salt: { select: ['salt'] },
      migrations: { select: true },
      // What a trigger derives the local date and the course of a room from.
      settings: { select: ['time_zone'] },
      course_rules: { select: true },
    },
    views: [],
  },
  // What `status` reads. Nothing of it is personal data: neither names nor teachers of classes are among it.
  lcic_monitor: {
    database: ['connect'],
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
    views: [],
  },
  // The views decide what may be seen; those of personal data are granted apart.
  lcic_reader: { database: ['connect'], tables: {}, views: ['analytics'] },
  lcic_pii_reader: { database: ['connect'], tables: {}, views: ['analytics_pii'] },
}

export const groupRoles = Object.keys(rights) as GroupRole[]

/** Tables of schema archive, in which rights are set as above; those that somebody else made there are left alone. */
export const ownTables: readonly string[] = [
  ...new Set(Object.values(rights).flatMap(({ tables }) => Object.keys(tables))),
  'migrations_lock',
  // What only their owner sees and changes.
  'tenants',
  'regions',
]

/** Views of schema archive that those of the other schemas read from, with their owner's rights; nobody else does. */
export const ownViews: readonly string[] = ['visible_apps', 'sessions', 'attendance']

/** Functions of schema archive that its triggers and views call; everybody may. */
export const ownFunctions: readonly string[] = [
  'course_of_name',
  'is_student',
  'derive_room',
  'derive_rooms',
  'check_tenant',
]

/** One right, as it is granted. */
export interface Right {
  readonly role: string
  readonly on: 'database' | 'schema' | 'table'
  readonly verb: string
  /** Null where it is `on` the database. */
  readonly schema: string | null
  /** A table or view; null where it is not `on` one. */
  readonly table: string | null
  /** Null: the whole table. */
  readonly column: string | null
}

/** A table or view. */
export interface Relation {
  readonly schema: string
  readonly name: string
}

/**
 * What a role may do, right by right.
 *
 * @param relations views that are there
 */
export function rightsOf(role: GroupRole, relations: readonly Relation[] = []): Right[] {
  const { database, tables, views } = rights[role]
  const used = [...(Object.keys(tables).length > 0 ? ['archive'] : []), ...views]
  const seen = relations.filter(({ schema }) => views.some((name) => name === schema))
  return [
    ...database.map((verb): Right => ({ role, on: 'database', verb, schema: null, table: null, column: null })),
    ...used.map((schema): Right => ({ role, on: 'schema', verb: 'usage', schema, table: null, column: null })),
    ...Object.entries(tables).flatMap(([table, verbs]) =>
      Object.entries(verbs).flatMap(([verb, columns]) =>
        (columns === true ? [null] : columns).map(
          (column): Right => ({ role, on: 'table', verb, schema: 'archive', table, column }),
        ),
      ),
    ),
    ...seen.map(
      ({ schema, name }): Right => ({ role, on: 'table', verb: 'select', schema, table: name, column: null }),
    ),
  ]
}
