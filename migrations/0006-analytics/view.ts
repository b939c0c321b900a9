/** A documented view: every column of its query has a meaning here, in the same order. */
export interface View {
  readonly about: string
  readonly columns: Readonly<Record<string, string>>
  /** The `select`, as PostgreSQL reads it. */
  readonly query: string
}
