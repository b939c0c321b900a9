import { type Kysely, sql } from 'kysely'

/**
 * What is derived of each room, and stored with it, so that the views find rooms by date and course in an index and
 * read each member once: local date, course, and the maxima that engagement is measured by. A trigger keeps it, in the
 * transaction that writes the room; members are always written before their room.
 */
export async function deriveColumns(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table archive.rooms
      add column start_date date,
      add column length_seconds bigint,
      add column course text not null default '(no name)',
      add column roster_known boolean not null default false,
      add column most_mics int not null default 0,
      add column most_messages int not null default 0,
      add column most_hand_ups int not null default 0,
      add column most_rewards int not null default 0,
      add column most_answers int not null default 0`.execute(db)
  for (const [column, text] of Object.entries(comments))
    await sql`comment on column ${sql.ref(`archive.rooms.${column}`)} is ${sql.lit(`Derived: ${text}`)}`.execute(db)

  await sql`
    create function archive.course_of_name(name text) returns text language sql immutable parallel safe as $$
      select coalesce(nullif(trim(regexp_replace(name, ${sql.lit(lesson)}, '', 'i')), ''), nullif(trim(name), ''), '(no name)')
    $$`.execute(db)
  await sql`
    create function archive.is_student(role int, user_id text, teacher_id text) returns boolean
    language sql immutable parallel safe as $$
      select coalesce(role = 0, user_id is distinct from teacher_id)
    $$`.execute(db)

  await sql`
    create function archive.derive_room() returns trigger language plpgsql as $$
    declare
      rule record;
      room_group text;
      subject text;
    begin
      -- An insert that meets the room becomes an update, which comes here again.
      if tg_op = 'INSERT' and exists (select from archive.rooms r where r.room_id = new.room_id) then
        return new;
      end if;
      new.start_date := (coalesce(new.real_start_at, new.scheduled_start_at)
        at time zone (select time_zone from archive.settings))::date;
      new.length_seconds := date_part('epoch', new.real_end_at - new.real_start_at);
      -- What members told remains true when they are no longer kept.
      if new.members_pruned_at is not null then
        return new;
      end if;

      new.roster_known := exists (
        select from archive.member_records m
        where m.room_id = new.room_id and m.removed_at is null and (m.group_id <> ''
          or m.first_join_at is null and coalesce(m.present_seconds, 0) = 0 and coalesce(m.current_state, 0) = 0));
      select coalesce(max(m.mic_count), 0), coalesce(max(m.message_count), 0), coalesce(max(m.hand_ups), 0),
        coalesce(max(m.rewards), 0), coalesce(max(m.answer_questions), 0)
      into new.most_mics, new.most_messages, new.most_hand_ups, new.most_rewards, new.most_answers
      from archive.member_records m
      where m.room_id = new.room_id and m.removed_at is null
        and archive.is_student(m.role, m.user_id, new.teacher_id);

      new.course := null;
      for rule in
        select * from archive.course_rules c
        where c.sdk_app_id is null or c.sdk_app_id = new.sdk_app_id
        order by c.priority, c.rule_id
      loop
        if rule."by" = 'group' and room_group is null then
          select m.group_id into room_group
          from archive.member_records m
          where m.room_id = new.room_id and m.removed_at is null and m.group_id <> ''
            and archive.is_student(m.role, m.user_id, new.teacher_id)
          group by m.group_id
          order by count(*) desc, m.group_id
          limit 1;
        end if;
        subject := case rule."by" when 'group' then room_group when 'teacher' then new.teacher_id else new.name end;
        continue when coalesce(subject, '') = '';
        if rule."by" = 'name' then
          continue when subject !~ rule.pattern;
          new.course := nullif(trim(regexp_replace(subject, rule.pattern, rule.course)), '');
        else
          continue when rule.pattern <> subject;
          new.course := coalesce(rule.course, subject);
        end if;
        exit when new.course is not null;
      end loop;
      new.course := coalesce(new.course, archive.course_of_name(new.name), '(no name)');
      return new;
    end
    $$`.execute(db)
  await sql`
    create trigger derive_room before insert or update on archive.rooms
    for each row execute function archive.derive_room()`.execute(db)

  await sql`
    create function archive.derive_rooms() returns trigger language plpgsql as $$
    begin
      -- A room that is just being written by what was true until now would be overlooked.
      lock table archive.rooms in share row exclusive mode;
      update archive.rooms set start_date = start_date;
      return null;
    end
    $$`.execute(db)
  await sql`
    create trigger derive_rooms after update of time_zone on archive.settings
    for each statement execute function archive.derive_rooms()`.execute(db)
  await sql`
    create trigger derive_rooms after insert or update or delete or truncate on archive.course_rules
    for each statement execute function archive.derive_rooms()`.execute(db)

  await sql`update archive.rooms set start_date = start_date`.execute(db)
  await sql`create index rooms_start_date on archive.rooms (start_date)`.execute(db)
  await sql`create index rooms_week on archive.rooms ((date_trunc('week', start_date::timestamp)::date))`.execute(db)
  await sql`create index rooms_month on archive.rooms ((date_trunc('month', start_date::timestamp)::date))`.execute(db)
  await sql`create index rooms_course on archive.rooms (course, start_date)`.execute(db)
  await sql`create index member_records_user on archive.member_records (user_id)`.execute(db)
}

export async function dropColumns(db: Kysely<unknown>): Promise<void> {
  await sql`drop index archive.member_records_user`.execute(db)
  await sql`drop trigger derive_room on archive.rooms`.execute(db)
  // Their triggers go with the tables.
  await sql`
    alter table archive.rooms
      drop column start_date, drop column length_seconds, drop column course, drop column roster_known,
      drop column most_mics, drop column most_messages, drop column most_hand_ups, drop column most_rewards, drop column most_answers`.execute(
    db,
  )
}

export async function dropFunctions(db: Kysely<unknown>): Promise<void> {
  await sql`
    drop function archive.check_tenant(), archive.derive_rooms(), archive.derive_room(), archive.is_student(int, text, text),
      archive.course_of_name(text)`.execute(db)
}

/** What names of classes end with when only the lesson differs: "第3讲", "(Lesson 12)", "- Week 4", "#7", "(7)", "2026-03-01", "3月1日", "09:30". */
const lesson =
  '([\\s\\-–—_:：·,，、.]|' +
  '[(（\\[【]?\\s*(第\\s*[0-9一二三四五六七八九十百零两]+\\s*[讲课节次周期回天章单元]+|' +
  '(lesson|class|session|lecture|week|day|unit|part|chapter|ep|no)\\.?\\s*#?\\s*[0-9]+|#\\s*[0-9]+|' +
  '[0-9]{4}[-/.年][0-9]{1,2}([-/.月][0-9]{1,2}日?)?|[0-9]{1,2}月[0-9]{1,2}日|[0-9]{1,2}[:：][0-9]{2})\\s*[)）\\]】]?|' +
  '[(（\\[【]\\s*[0-9]+\\s*[)）\\]】])+$'

const comments: Record<string, string> = {
  start_date: 'local date of the real start, or else the planned one.',
  length_seconds: 'from real start to real end.',
  course: 'the course, by course_rules or else from the name.',
  roster_known: 'whether absentees are listed: some member is absent, or has a group.',
  most_mics: 'most times that one student was on the microphone.',
  most_messages: 'most messages of one student.',
  most_hand_ups: 'most hands raised by one student.',
  most_rewards: 'most rewards of one student.',
  most_answers: 'most questions answered by one student.',
}
