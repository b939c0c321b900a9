/** A short text; `` `code` `` in it is code. */
export interface Note {
  readonly title: string
  readonly text: string
}

/** An administrator's statements that give a BI tool its login. */
export const biLogin = `\
psql "$ADMIN_URL" -c "create role lcic_bi login password '…' in role lcic_reader" \\
                  -c "alter role lcic_bi set search_path = analytics" \\
                  -c "alter role lcic_bi set timezone = 'Asia/Shanghai'" \\
                  -c "alter role lcic_bi set statement_timeout = '60s'"`

export const biUrl = 'postgres://lcic_bi:…@HOST:5432/lcic?sslmode=require'

/** How to point a tool at schema analytics. */
export const biTools: readonly Note[] = [
  {
    title: 'All of them',
    text:
      'Use schema `analytics` and nothing else. Columns of type `timestamp with time zone` are moments, which a tool shows in its own time zone or the ' +
      'session’s; `*_local`, `start_date`, `week_start` and `month_start` are by the time zone of `analytics.settings` whatever the tool does. Filter by ' +
      '`start_date`, `room_id`, `course` or `user_id`: those are indexed. Ids (`room_id`, `sdk_app_id`) are `bigint`: treat them as categories, not as measures.',
  },
  {
    title: 'Metabase',
    text:
      'Admin → Databases → Add → PostgreSQL: host, port, database `lcic`, user `lcic_bi`; Use a secure connection (SSL) on, mode `require` or `verify-ca`; Schemas: ' +
      'Only these: `analytics`. Its descriptions of tables and columns are the comments. Set the report time zone (Admin → Settings → Localization) to that of `analytics.settings`.',
  },
  {
    title: 'Apache Superset',
    text:
      'Settings → Database connections → PostgreSQL, SQLAlchemy URI `postgresql://lcic_bi:…@HOST:5432/lcic?sslmode=require`. Make a dataset of each view of schema `analytics` ' +
      'that is charted; the temporal column is `started_at_local` or `start_date`.',
  },
  {
    title: 'Grafana',
    text:
      'Connections → Add new connection → PostgreSQL: TLS/SSL mode `require` or `verify-full`. Its time filter wants moments: ' +
      '`select started_at as time, attendance_rate from analytics.fact_room_session where $__timeFilter(started_at) order by 1`.',
  },
  {
    title: 'Power BI',
    text:
      'Get data → PostgreSQL database, Import or DirectQuery, and pick the views of `analytics` in the navigator. Connections are encrypted: the server’s certificate has to be one that ' +
      'the computer trusts. The service reaches a database in a VPC through an on-premises data gateway. Relate `fact_attendance[room_id]` to `dim_room[room_id]` and `start_date` to `dim_date[date]`.',
  },
  {
    title: 'Tencent Cloud BI (腾讯云 BI)',
    text: 'Data sources → Create → a TencentDB for PostgreSQL as a cloud or VPC data source: the private address of the instance, port, database `lcic`, user `lcic_bi`. Then make a data table of each view of schema `analytics`.',
  },
]
