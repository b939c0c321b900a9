import { type RawBuilder, sql } from 'kysely'

/**
 * Of two rows as jsonb: the columns of the old one that the new one has with another value. `offset 0` keeps the planner
 * from making the new row anew for each column.
 */
export function changedColumns(old: RawBuilder<unknown>, current: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    select coalesce(jsonb_object_agg(o.key, o.value), '{}')
    from jsonb_each(${old}) as o
    cross join (select ${current} as row offset 0) as n
    where n.row ? o.key and n.row -> o.key is distinct from o.value)`
}
