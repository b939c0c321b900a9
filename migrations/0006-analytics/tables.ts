import { type Kysely, sql } from 'kysely'

/** What people decide about the views: definitions, courses, and who sees which app. */
export async function createTables(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table archive.settings (
      only_row boolean primary key default true check (only_row),
      time_zone text not null default 'Asia/Shanghai'
        check (timestamptz '2000-01-01 00:00:00+00' at time zone time_zone is not null),
      late_after_seconds int not null default 300 check (late_after_seconds >= 0),
      early_before_seconds int not null default 300 check (early_before_seconds >= 0),
      attended_ratio float8 not null default 0.5 check (attended_ratio between 0 and 1),
      risk_sessions int not null default 4 check (risk_sessions > 0),
      risk_absence numeric not null default 0.10 check (risk_absence between 0 and 1),
      high_risk_absence numeric not null default 0.25 check (high_risk_absence between 0 and 1),
      risk_missed int not null default 2 check (risk_missed > 0),
      risk_trend numeric not null default -0.2 check (risk_trend between -1 and 0),
      trend_sessions int not null default 4 check (trend_sessions > 0),
      smallest_group int not null default 5 check (smallest_group > 0)
    )`.execute(db)
  await sql`insert into archive.settings default values`.execute(db)

  await sql`
    create table archive.course_rules (
      rule_id int generated always as identity primary key,
      priority int not null default 100,
      sdk_app_id bigint,
      "by" text not null check ("by" in ('group', 'teacher', 'name')),
      pattern text,
      course text check (course <> ''),
      check (case when "by" = 'name' then regexp_replace('', pattern, coalesce(course, '')) is not null and course is not null else true end)
    )`.execute(db)

  await sql`
    create table archive.tenants (
      role_name name not null,
      sdk_app_id bigint not null,
      primary key (role_name, sdk_app_id)
    )`.execute(db)
  // A role that is misspelt would limit nobody.
  await sql`
    create function archive.check_tenant() returns trigger language plpgsql as $$
    begin
      if not exists (select from pg_roles where rolname = new.role_name) then
        raise exception 'There is no role %', quote_ident(new.role_name) using errcode = 'undefined_object';
      end if;
      return new;
    end
    $$`.execute(db)
  await sql`
    create trigger check_tenant before insert or update on archive.tenants
    for each row execute function archive.check_tenant()`.execute(db)

  await sql`
    create table archive.regions (
      prefix text primary key check (char_length(prefix) = 2),
      region text not null,
      region_label text not null
    )`.execute(db)
  const rows = Object.entries(provinces).map(([prefix, [code, label]]) => sql`(${prefix}, ${`CN-${code}`}, ${label})`)
  await sql`insert into archive.regions (prefix, region, region_label) values ${sql.join(rows)}`.execute(db)
  // Autovacuum leaves such small tables alone, and the planner would take them for larger than they are.
  await sql`analyze archive.settings, archive.regions`.execute(db)

  for (const [table, { about, columns }] of Object.entries(comments)) {
    await sql`comment on table ${sql.table(`archive.${table}`)} is ${sql.lit(about)}`.execute(db)
    for (const [column, text] of Object.entries(columns)) {
      await sql`comment on column ${sql.ref(`archive.${table}.${column}`)} is ${sql.lit(text)}`.execute(db)
    }
  }
}

export async function dropTables(db: Kysely<unknown>): Promise<void> {
  await sql`drop table archive.regions, archive.tenants, archive.course_rules, archive.settings`.execute(db)
}

/** The first two characters of a province's Chinese name tell it from all others; codes of ISO 3166-2:CN. */
const provinces: Readonly<Record<string, readonly [code: string, label: string]>> = {
  北京: ['BJ', 'Beijing'],
  天津: ['TJ', 'Tianjin'],
  河北: ['HE', 'Hebei'],
  山西: ['SX', 'Shanxi'],
  内蒙: ['NM', 'Inner Mongolia'],
  辽宁: ['LN', 'Liaoning'],
  吉林: ['JL', 'Jilin'],
  黑龙: ['HL', 'Heilongjiang'],
  上海: ['SH', 'Shanghai'],
  江苏: ['JS', 'Jiangsu'],
  浙江: ['ZJ', 'Zhejiang'],
  安徽: ['AH', 'Anhui'],
  福建: ['FJ', 'Fujian'],
  江西: ['JX', 'Jiangxi'],
  山东: ['SD', 'Shandong'],
  河南: ['HA', 'Henan'],
  湖北: ['HB', 'Hubei'],
  湖南: ['HN', 'Hunan'],
  广东: ['GD', 'Guangdong'],
  广西: ['GX', 'Guangxi'],
  海南: ['HI', 'Hainan'],
  重庆: ['CQ', 'Chongqing'],
  四川: ['SC', 'Sichuan'],
  贵州: ['GZ', 'Guizhou'],
  云南: ['YN', 'Yunnan'],
  西藏: ['XZ', 'Tibet'],
  陕西: ['SN', 'Shaanxi'],
  甘肃: ['GS', 'Gansu'],
  青海: ['QH', 'Qinghai'],
  宁夏: ['NX', 'Ningxia'],
  新疆: ['XJ', 'Xinjiang'],
  台湾: ['TW', 'Taiwan'],
  香港: ['HK', 'Hong Kong'],
  澳门: ['MO', 'Macao'],
}

const comments: Record<string, { about: string; columns: Record<string, string> }> = {
  settings: {
    about:
      'One row: what the views of schema analytics count as late, attended, at risk. A change shows in them at once.',
    columns: {
      only_row: 'Always true: there is one row.',
      time_zone: 'Time zone of local times and dates, by its name in the IANA database.',
      late_after_seconds: 'Who joins more than so many seconds after the class started is late.',
      early_before_seconds: 'Who quits more than so many seconds before the class ended left early.',
      attended_ratio: 'Who was present for at least this part of the class attended it.',
      risk_sessions: 'A student with fewer sessions in a course is not judged.',
      risk_absence: 'From this part of sessions missed on a student is at risk.',
      high_risk_absence: 'From this part of sessions missed on the risk is high.',
      risk_missed: 'Who missed so many of the newest sessions in a row is at risk.',
      risk_trend: 'Whose presence changed by this or less, from the sessions before to the newest ones, is at risk.',
      trend_sessions: 'How many sessions are compared with as many before them.',
      smallest_group: 'Regions with fewer attendances in a week are counted together.',
    },
  },
  course_rules: {
    about:
      'One row a rule that tells the course of a room, as LCIC knows none. The first that applies counts, by priority and number; without any it is the name of the class, less the number or date of the lesson at its end.',
    columns: {
      rule_id: 'Number of the rule.',
      priority: 'Rules of lower numbers come first.',
      sdk_app_id: 'Only for rooms of this app; null: of all.',
      by: 'What the rule looks at: group (the class group that most students of the room are in), teacher (the user id of the teacher), or name (of the class).',
      pattern:
        'For group and teacher the id, or null for any; for name a regular expression, as regexp_replace takes it.',
      course:
        'The course; null: the group or teacher itself. For name the replacement: write ^(.*) lesson and \\1 to keep a part.',
    },
  },
  tenants: {
    about:
      'One row an app that a role may see in analytics. A role that is listed here, and every member of it, sees these apps alone; others see all.',
    columns: { role_name: 'Name of the role.', sdk_app_id: 'The LCIC app (SdkAppId).' },
  },
  regions: {
    about: 'One row a province, by which places are counted without saying where anybody is.',
    columns: {
      prefix: 'The first two characters of its Chinese name.',
      region: 'Code of ISO 3166-2.',
      region_label: 'Its English name.',
    },
  },
}
