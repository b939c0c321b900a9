import { isVisible } from './foundations'
import type { View } from './view'

const app = 'The LCIC app (SdkAppId); null while not known.'

/** Views that say how far the others can be trusted. */
export const trustViews: Readonly<Record<string, View>> = {
  data_quality: {
    about:
      'One row a finding: something in what LCIC sent that contradicts itself, or that deserves a second look. Nothing is corrected for it.',
    columns: {
      room_id: 'The class.',
      sdk_app_id: app,
      start_date: 'Local date on which the class started.',
      user_id: 'The member it is about; null if it is about the class.',
      finding:
        'peak_above_sweep, peak_below_sweep, quit_before_join, present_longer_than_class, present_longer_than_visit, records_disagree, online_disagrees, messages_disagree or mics_disagree.',
      finding_label: 'The finding in words.',
      severity: 'contradiction: one of the figures must be wrong; notice: there may be a good reason.',
      lcic_value: 'The figure LCIC gave.',
      archive_value: 'The figure it was compared with.',
      explanation: 'What both figures are.',
    },
    query: `
      select q.room_id, q.sdk_app_id, q.start_date, q.user_id, q.finding, l.finding_label, l.severity, q.lcic_value,
        q.archive_value, l.explanation
      from (
        select a.room_id, a.sdk_app_id, a.start_date, a.user_id, f.finding, f.lcic_value, f.archive_value
        from archive.attendance a
        cross join lateral (select
          a.last_quit_at < a.first_join_at as quits_first,
          a.length_seconds > 0 and a.present_seconds > a.length_seconds as exceeds_class,
          a.last_quit_at >= a.first_join_at
            and a.present_seconds > date_part('epoch', a.last_quit_at - a.first_join_at) as exceeds_visit) as x
        cross join lateral (values
          ('quit_before_join', date_part('epoch', a.last_quit_at)::bigint, date_part('epoch', a.first_join_at)::bigint,
            x.quits_first),
          ('present_longer_than_class', a.present_seconds::bigint, a.length_seconds, x.exceeds_class),
          ('present_longer_than_visit', a.present_seconds::bigint,
            date_part('epoch', a.last_quit_at - a.first_join_at)::bigint, x.exceeds_visit)
        ) as f (finding, lcic_value, archive_value, is_found)
        where (x.quits_first or x.exceeds_class or x.exceeds_visit) and f.is_found
        union all
        select s.room_id, s.sdk_app_id, s.start_date, null, f.finding, f.lcic_value, f.archive_value
        from archive.sessions s
        cross join lateral (
          select count(*) as records, count(*) filter (where a.joined) as joined, sum(a.message_count) as messages,
            sum(a.mic_count) as mics, array_agg(a.first_join_at order by a.first_join_at) filter (where v.is_whole) as joins,
            array_agg(v.quit_at order by v.quit_at) filter (where v.is_whole) as quits
          from archive.attendance a
          cross join lateral (select coalesce(a.last_quit_at, a.ended_at) as quit_at,
            coalesce(a.last_quit_at, a.ended_at) >= a.first_join_at as is_whole) as v
          where a.room_id = s.room_id
        ) as m
        -- Most are online when somebody joins: those who joined up to then, less those who had quit before.
        cross join lateral (
          select coalesce(max(j.number - width_bucket(j.at - interval '1 microsecond', m.quits)), 0) as peak
          from unnest(m.joins) with ordinality as j (at, number)
        ) as w
        cross join lateral (values
          ('records_disagree', s.records - s.erased_members - coalesce((
            select duplicates from archive.runs where runs.room_id = s.room_id and runs.attempt = s.attempt), 0), m.records,
            true),
          ('online_disagrees', s.online_members::bigint, m.joined, s.erased_members = 0),
          ('messages_disagree', s.message_count::bigint, m.messages, s.erased_members = 0),
          ('mics_disagree', s.mic_count::bigint, m.mics, s.erased_members = 0),
          ('peak_above_sweep', s.peak_members::bigint, case when s.peak_members > w.peak then w.peak else s.peak_members end, s.erased_members = 0),
          ('peak_below_sweep', s.peak_members::bigint, case when s.peak_members < w.peak then w.peak else s.peak_members end, s.erased_members = 0)
        ) as f (finding, lcic_value, archive_value, is_comparable)
        where s.members_pruned_at is null and f.is_comparable and f.lcic_value <> f.archive_value
      ) as q
      join (values
        ('peak_above_sweep', 'peak higher than possible', 'contradiction',
          'LCIC counts more members online at once than first joins and last quits allow'),
        ('peak_below_sweep', 'peak lower than joins and quits suggest', 'notice',
          'fewer were online at once than first joins and last quits allow: members left and came back'),
        ('quit_before_join', 'quit before join', 'contradiction', 'last quit and first join, Unix seconds'),
        ('present_longer_than_class', 'present longer than the class', 'notice',
          'seconds online, and length of the class: the member was there before it or after it'),
        ('present_longer_than_visit', 'present longer than from join to quit', 'contradiction',
          'seconds online, and seconds from first join to last quit'),
        ('records_disagree', 'number of members disagrees', 'contradiction',
          'records that LCIC announced, less those listed twice or erased, and members in the archive'),
        ('online_disagrees', 'number of members online disagrees', 'notice',
          'members that LCIC counted online, and members who came'),
        ('messages_disagree', 'number of messages disagrees', 'notice',
          'messages that LCIC counted for the class, and the sum over its members'),
        ('mics_disagree', 'times on the microphone disagree', 'notice',
          'times on the microphone that LCIC counted for the class, and the sum over its members')
      ) as l (finding, finding_label, severity, explanation) using (finding)`,
  },

  data_freshness: {
    about: 'One row an app: how new what is archived is, and what is still to come.',
    columns: {
      sdk_app_id: app,
      last_room_ended_at: 'When the newest archived class ended.',
      last_archived_at: 'When a class was last archived for the first time.',
      swept_from: 'Everything LCIC listed from then until swept_until is known.',
      swept_until: 'Up to when everything LCIC listed is known; null if the app is not swept.',
      last_sweep_finished_at: 'When the last sweep ended well.',
      waiting_rooms: 'Ended classes that are not archived yet.',
      oldest_due_at: 'Since when the longest waiting of them has been due; null if none is.',
      lag_seconds_p50:
        'Median time from the end of a class until it was archived, of those archived in the last 24 hours.',
      lag_seconds_p95: 'The time within which 95 of 100 were.',
    },
    query: `
      select v.sdk_app_id, r.last_room_ended_at, r.last_archived_at, s.swept_from, s.swept_until,
        s.finished_at as last_sweep_finished_at, coalesce(j.waiting_rooms, 0) as waiting_rooms, j.oldest_due_at,
        r.lag_seconds_p50, r.lag_seconds_p95
      from (
        select coalesce(sdk_app_id, 0) as app, max(real_end_at) as last_room_ended_at, max(archived_at) as last_archived_at,
          percentile_cont(0.5) within group (order by lag) as lag_seconds_p50,
          percentile_cont(0.95) within group (order by lag) as lag_seconds_p95
        from (
          select sdk_app_id, real_end_at, archived_at,
            case when archived_at > now() - interval '1 day'
              then extract(epoch from archived_at - real_end_at)::float8 end as lag
          from archive.rooms
        ) as lags
        group by 1
      ) as r
      full join (
        select coalesce(sdk_app_id, 0) as app,
          count(*) filter (where state = 'pending' and (due_at <= now() or ended_at <= now())) as waiting_rooms,
          min(due_at) filter (where state = 'pending' and due_at <= now()) as oldest_due_at
        from archive.jobs
        group by 1
      ) as j using (app)
      full join (
        select sdk_app_id as app, swept_from, swept_until, finished_at from archive.sweeps
      ) as s using (app)
      cross join lateral (select nullif(app, 0) as sdk_app_id) as v
      where ${isVisible('v')}`,
  },

  archive_completeness: {
    about:
      'One row an app and local day: the classes that ended on it, by what LCIC lists and by what was announced otherwise, and what became of them. Each class counts once.',
    columns: {
      sdk_app_id: app,
      end_date: 'Local date on which the classes ended, or were planned to.',
      ended: 'Classes that ended, or expired unused.',
      archived: 'Those that are archived.',
      waiting: 'Those whose statistics are still to be fetched.',
      expired: 'Those that expired unused: there are no statistics.',
      missing: 'Those that LCIC says do not exist.',
      failed: 'Those that were given up.',
      without_job: 'Those that LCIC lists, and nothing has been done about.',
      passed_deadline: 'Those waiting or failed although LCIC may have deleted their statistics by now.',
      is_complete: 'Whether all that can be archived is: nothing waits, failed, is missing or was overlooked.',
    },
    query: `
      select sdk_app_id, end_date, count(*) as ended, count(*) filter (where state = 'archived') as archived,
        count(*) filter (where state = 'pending') as waiting, count(*) filter (where state = 'expired') as expired,
        count(*) filter (where state = 'missing') as missing, count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state is null) as without_job, count(*) filter (where is_late) as passed_deadline,
        bool_and(coalesce(state in ('archived', 'expired'), false)) as is_complete
      from (
        select coalesce(k.sdk_app_id, j.sdk_app_id) as sdk_app_id, j.state,
          (coalesce(k.real_end_at, j.ended_at, k.scheduled_end_at, j.created_at)
            at time zone (select time_zone from archive.settings))::date as end_date,
          j.state in ('pending', 'failed') and j.deadline_at < now() as is_late
        from archive.known_rooms k
        full join archive.jobs j using (room_id)
        where coalesce(k.status, 2) in (2, 3) or coalesce(j.state, 'pending') <> 'pending'
          or coalesce(j.deadline_at < now(), false)
      ) as e
      where ${isVisible('e')}
      group by sdk_app_id, end_date`,
  },

  settings: {
    about: 'One row: what counts as late, attended, at risk. The owner of the archive changes it in archive.settings.',
    columns: {
      time_zone: 'Time zone of local times and dates.',
      late_after_seconds: 'Who joins more than so many seconds after the class started is late.',
      early_before_seconds: 'Who quits more than so many seconds before the class ended left early.',
      attended_ratio: 'Who was present for at least this part of the class attended it.',
      risk_sessions: 'A student with fewer sessions in a course is not judged.',
      risk_absence: 'From this part of sessions missed on a student is at risk.',
      high_risk_absence: 'From this part of sessions missed on the risk is high.',
      risk_missed: 'Who missed so many of the newest sessions in a row is at risk.',
      risk_trend: 'Whose presence changed by this or less is at risk.',
      trend_sessions: 'How many sessions are compared with as many before them.',
      smallest_group: 'Regions with fewer attendances in a week are counted together.',
    },
    query: `
      select time_zone, late_after_seconds, early_before_seconds, attended_ratio, risk_sessions, risk_absence,
        high_risk_absence, risk_missed, risk_trend, trend_sessions, smallest_group
      from archive.settings`,
  },

  course_rules: {
    about:
      'One row a rule that tells the course of a class. The owner of the archive changes them in archive.course_rules.',
    columns: {
      rule_id: 'Number of the rule.',
      priority: 'The rule of the lowest priority, then number, that applies counts.',
      sdk_app_id: 'Only for classes of this app; null: of all.',
      by: 'What the rule looks at: group, teacher or name.',
      pattern: 'The group or teacher, null for any; or a regular expression for the name.',
      course: 'The course; null: the group or teacher itself.',
    },
    query: `
      select c.rule_id, c.priority, c.sdk_app_id, c."by", c.pattern, c.course
      from archive.course_rules c
      where c.sdk_app_id is null or ${isVisible('c')}`,
  },
}

/** Views with names, addresses and places, in a schema of their own. */
export const personalViews: Readonly<Record<string, View>> = {
  member: {
    about: 'One row a member of an app: the display name they last had. Personal data.',
    columns: {
      sdk_app_id: app,
      user_id: 'User id, as in schema analytics.',
      user_name: 'Display name in the newest class that gives one; null if none does.',
      last_room_at: 'When the newest class that lists the member started.',
    },
    query: `
      select sdk_app_id, user_id,
        (array_agg(user_name order by started_at desc nulls last, room_id desc) filter (where user_name <> ''))[1] as user_name,
        max(started_at) as last_room_at
      from archive.attendance
      group by sdk_app_id, user_id`,
  },
  attendance: {
    about: 'One row a member and class: name, address and place, as LCIC sent them. Personal data.',
    columns: {
      room_id: 'The class.',
      user_id: 'User id, as in schema analytics.',
      sdk_app_id: app,
      start_date: 'Local date on which the class started.',
      user_name: 'Display name in this class.',
      ip_address: 'Address the member came from: IPv4, IPv6 or empty.',
      location: 'Place of that address.',
    },
    query: `
      select room_id, user_id, sdk_app_id, start_date, user_name, ip_address, location
      from archive.attendance`,
  },
}
