import { type Kysely, sql } from 'kysely'
import type { Database } from '../../lib/db/tables'
import type { Question, Scope } from './dashboard-questions'

/** Whom or what a dashboard asks about. */
export interface Subject {
  readonly value: string
  /** How many rows there are about it. */
  readonly needs: Readonly<Record<Question['needs'], number>>
}

/** A class in the middle of the time, its week, its course, and the student of the course with most classes. */
export async function chooseSubjects(
  db: Kysely<Database>,
  scopes: readonly Scope[],
): Promise<Readonly<Partial<Record<Scope, Subject>>>> {
  const { rows } = await sql<Omit<Record<Scope, string>, 'school'>>`
    with middle as (
      select room_id, course, date_trunc('week', start_date::timestamp)::date as week
      from archive.rooms where roster_known
      order by start_date, room_id limit 1 offset (select count(*) / 2 from archive.rooms where roster_known)
    )
    select room_id::text as room, course, week::text as week, (
        select user_id from archive.member_records
        where user_id in (select user_id from archive.member_records m where m.room_id = middle.room_id and role = 0)
        group by user_id order by count(*) desc, user_id limit 1) as student
    from middle`.execute(db)
  const [chosen] = rows
  if (!chosen) throw new Error('There is no room in the archive.')
  const { week, course, student, room } = chosen
  const about: Record<Scope, { value: string; rows: ReturnType<typeof sql<boolean>> }> = {
    week: { value: week, rows: sql`date_trunc('week', r.start_date::timestamp)::date = ${week}` },
    course: { value: course, rows: sql`r.course = ${course}` },
    student: { value: student, rows: sql`m.user_id = ${student}` },
    room: { value: room, rows: sql`r.room_id = ${room}` },
    school: { value: '', rows: sql`true` },
  }
  const subjects: Partial<Record<Scope, Subject>> = {}
  for (const scope of scopes) subjects[scope] = { value: about[scope].value, needs: await count(db, about[scope].rows) }
  return subjects
}

async function count(db: Kysely<Database>, isAbout: ReturnType<typeof sql<boolean>>): Promise<Subject['needs']> {
  const { rows } = await sql<Omit<Subject['needs'], 'nothing'>>`
    select count(distinct room_id)::int as rooms, count(distinct room_id)::int + count(*)::int as members,
      2 * (count(distinct room_id)::int + count(*)::int) as "membersTwice",
      ((select count(*) from archive.jobs) + (select count(*) from archive.known_rooms))::int as jobs
    from archive.rooms r join archive.member_records m using (room_id)
    where ${isAbout}`.execute(db)
  const [counts] = rows
  if (!counts) throw new Error('Nothing was counted.')
  return { nothing: 0, ...counts }
}
