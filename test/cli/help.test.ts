import { afterAll, beforeAll, expect, test } from 'vitest'
import { version } from '../../package.json'
import { type CommandLine, installCommandLine } from '../support/command-line'

let cli: CommandLine
beforeAll(async () => {
  cli = await installCommandLine()
})
afterAll(() => cli?.remove())

async function helpOf(...command: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await cli.run([...command, '--help'])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return stdout
}

test('lcic-archive --help', async () => {
  expect(await helpOf()).toMatchInlineSnapshot(`
    "Usage: lcic-archive [options] [command]

    Archives the statistics of Tencent Cloud LCIC classes into PostgreSQL,
    completely and provably.

    Options:
      -V, --version                     output the version number
      -h, --help                        display help for command

    Commands:
      archive [options] <room_id...>    archive the rooms named, now
      run [options]                     work off every job that is due, as one of
                                        any number of workers, until told to stop
      serve [options]                   receive LCIC's callbacks, archive and sweep,
                                        for hosts without SCF, until told to stop
      sweep [options]                   find the rooms that have ended, and make
                                        their jobs due
      backfill [options]                archive the rooms of a past span: sweep it,
                                        then work off what is due
      status [options]                  show how complete the archive is: what LCIC
                                        says ended beside what is archived
      doctor [options]                  check credentials, clock, LCIC, the database
                                        and its rights, and say what to mend
      retry [options] [room_id...]      make jobs due again
      replay [options] [room_id...]     rebuild rooms from the raw pages in the
                                        database, without a request to LCIC
      erase-member [options] <user_id>  delete all that the archive holds of a
                                        member, for good
      prune [options]                   delete what was kept long enough: raw pages,
                                        members, callbacks
      report [options] [room_id]        write a report for people, of one class or
                                        of all classes of a time, as one HTML file
      sql [options] [query]             ask the archive a question, or keep its
                                        embedded database running for other programs
      export [options]                  write attendance and classes to Parquet
                                        files, for a lakehouse; only months that
                                        changed
      docs [options]                    write the data dictionary: every view and
                                        column, and example questions with their SQL
      migrate [options] [direction]     apply, take back or list migrations
      simulate [options]                run a stand-in for LCIC on this machine,
                                        strict as the real one, until Ctrl-C
      demo                              archive a simulated school day into the
                                        embedded PostgreSQL, and show what an
                                        analyst sees
      help [command]                    display help for command

    Start here:
      $ lcic-archive demo

    Environment (all optional for the demo):
      TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY   credentials; TENCENTCLOUD_SESSION_TOKEN for temporary ones
      DATABASE_URL                                      PostgreSQL 12 to 18; without it an embedded one in .data/
      LCIC_ENDPOINT, LCIC_REGION                        default https://lcic.tencentcloudapi.com, no region
      LCIC_SDK_APP_IDS                                  the apps to sweep, with commas between
      LCIC_CALLBACK_KEY, LCIC_CALLBACK_UNSIGNED         for serve: the key of the app's callback; reject (default) or accept
      LCIC_REQUESTS_PER_SECOND                          default 20, what the API allows
      ARCHIVE_SWEEP_LOOKBACK, ARCHIVE_GIVE_UP_AFTER     how far back sweeps look (76h); when a room counts as failed (7d)
      ARCHIVE_REREAD_AFTER                              when an archived room is read once more (24h), or off
      ARCHIVE_PERSONAL_DATA, ARCHIVE_PSEUDONYM_KEY      names, addresses and ids: keep (default), pseudonymise or drop; its secret
      ARCHIVE_KEEP_RAW_PAGES, ARCHIVE_KEEP_MEMBERS      for prune: how long, such as 365d, or off (default)
      ARCHIVE_KEEP_CALLBACKS                            likewise, default 90d
      LOG_LEVEL                                         default info; on a terminal error
    "
  `)
})

test('lcic-archive archive --help', async () => {
  expect(await helpOf('archive')).toMatchInlineSnapshot(`
    "Usage: lcic-archive archive [options] <room_id...>

    archive the rooms named, now

    Arguments:
      room_id            rooms to archive, archived ones are read again

    Options:
      --wait <duration>  how long to keep asking while a room is not ready, or is
                         worked on by another (default: 2m)
      --json             print one JSON document
      -h, --help         display help for command

    Exit code: 0 all are archived, 1 some are not, 2 usage or configuration, 3 LCIC or the database is out of reach.
    A room that is not archived keeps its job, with the reason and the time of the next try.

    Examples:
      $ lcic-archive archive 312345678
      $ lcic-archive archive 312345678 312345679 --wait 10m --json

    "
  `)
})

test('lcic-archive run --help', async () => {
  expect(await helpOf('run')).toMatchInlineSnapshot(`
    "Usage: lcic-archive run [options]

    work off every job that is due, as one of any number of workers, until told to
    stop

    Options:
      --until-idle  end when no job is due within a minute
      --json        print one JSON document at the end
      -h, --help    display help for command

    Start as many as you like, on as many machines: they share the jobs and the request budget. Ctrl-C or SIGTERM ends a
    worker within 5 s; its rooms are given back. One that is killed loses nothing: others take its rooms within a minute.
    Jobs come from \`sweep\` and from \`archive\`.

    Exit code: 0 done or told to stop; 1 (with --until-idle) rooms were put off and not archived since; 2 usage,
    configuration, or LCIC refuses the credentials; 3 LCIC (with --until-idle) or the database is out of reach.

    Examples:
      $ lcic-archive sweep && lcic-archive run --until-idle
      $ lcic-archive run

    "
  `)
})

test('lcic-archive serve --help', async () => {
  expect(await helpOf('serve')).toMatchInlineSnapshot(`
    "Usage: lcic-archive serve [options]

    receive LCIC's callbacks, archive and sweep, for hosts without SCF, until told
    to stop

    Options:
      --port <port>             where to listen (default: 9702)
      --host <address>          on which address: 0.0.0.0 in a container, behind its
                                proxy (default: "127.0.0.1")
      --metrics-port <port>     give /metrics there, and not beside /callback
      --sweep-every <duration>  how often to sweep; 0: never, where others do
                                (default: 10m)
      -h, --help                display help for command

    POST /callback   LCIC says that a class has ended: stored before it is answered, then archived
    GET  /healthz    200 while the database takes writes and the worker lives; 503, and why not, otherwise
    GET  /metrics    for Prometheus: jobs by state, oldest due, budget, runs, callbacks, freshness, sweeps

    One process does it all: it is a worker as \`run\` is, and sweeps the apps of LCIC_SDK_APP_IDS at its start and every ten
    minutes. As many as you like may run; each keeps up to seven connections to the database. Set LCIC_CALLBACK_KEY to the key
    of the app's callback: without it callbacks are refused (LCIC_CALLBACK_UNSIGNED=accept takes unsigned ones).

    LCIC calls back on ports 80 and 443 only: put a proxy with TLS in front, and let it pass on /callback and nothing else.
    /metrics holds no personal data, but tells app ids and how the archive fares, which is nobody's business outside; where a
    proxy passes on everything, --metrics-port keeps it away from there. For Caddy:
      archive.example.com {
        handle /callback* { reverse_proxy 127.0.0.1:9702 }
        handle { respond 404 }
      }
    Then register https://archive.example.com/callback and its key as the app's callback (console, or ModifyApp).

    SIGTERM: it takes no more connections, answers the callbacks it has, gives back its rooms, and ends with 0 within 5 s. A
    process that is killed loses nothing that it answered. With systemd:
      [Service]
      EnvironmentFile=/etc/lcic-archive.env
      ExecStart=node /opt/lcic-archive/dist/lcic-archive.cjs serve
      Restart=always
    In a container: \`node dist/lcic-archive.cjs serve --host 0.0.0.0\` (not through npx, which does not pass signals on), with
    /healthz as readiness check; not as a reason to restart: a database that is away is waited for.

    Exit code: 0 told to stop; 2 usage or configuration; 3 the database is out of reach at the start. Wrong credentials are
    told by the log and by /healthz, as callbacks are worth taking meanwhile.

    Example:
      $ LCIC_SDK_APP_IDS=1400000001 LCIC_CALLBACK_KEY=… lcic-archive serve

    "
  `)
})

test('lcic-archive sweep --help', async () => {
  expect(await helpOf('sweep')).toMatchInlineSnapshot(`
    "Usage: lcic-archive sweep [options]

    find the rooms that have ended, and make their jobs due

    Options:
      --from <time>  look from then on: ISO 8601 (UTC, if it names no zone), or so
                     long ago, such as 36h
      --to <time>    with --from: up to then (default: now)
      --json         print one JSON document
      -h, --help     display help for command

    LCIC_SDK_APP_IDS says which apps. Without --from it looks back ARCHIVE_SWEEP_LOOKBACK (76h) from the end of the last full
    sweep, however long ago that was. Rooms that are planned or in class get a job for when they are planned to end. Nothing is
    archived yet: that is done by \`run\`. Rooms that were archived lately are asked about for who taught them (DescribeRoom).

    Exit code: 0 all rooms were seen, 1 an app could not be swept whole, 2 usage or configuration, 3 LCIC or the database is
    out of reach.

    Examples:
      $ LCIC_SDK_APP_IDS=1400000001 lcic-archive sweep
      $ lcic-archive sweep --from 7d --json

    "
  `)
})

test('lcic-archive backfill --help', async () => {
  expect(await helpOf('backfill')).toMatchInlineSnapshot(`
    "Usage: lcic-archive backfill [options]

    archive the rooms of a past span: sweep it, then work off what is due

    Options:
      --from <time>  from then on: ISO 8601 (UTC, if it names no zone), or so long
                     ago, such as 30d
      --to <time>    up to then (default: now)
      --plan         only say how many rooms, requests and minutes it takes
      --json         print one JSON document
      -h, --help     display help for command

    Stop it whenever you like and start it again: what is archived stays, and is not asked for again. LCIC may delete its data
    after 180 days, so the oldest rooms come first. Workers (\`run\`) may help at the same time.

    Exit code: 0 all are archived, 1 some are not, 2 usage or configuration, 3 LCIC or the database is out of reach.

    Examples:
      $ lcic-archive backfill --from 2026-03-01 --to 2026-04-01 --plan
      $ lcic-archive backfill --from 30d

    "
  `)
})

test('lcic-archive status --help', async () => {
  expect(await helpOf('status')).toMatchInlineSnapshot(`
    "Usage: lcic-archive status [options]

    show how complete the archive is: what LCIC says ended beside what is archived

    Options:
      --failed    list the rooms that were given up or are missing, and why
      --json      print one JSON document
      -h, --help  display help for command

    Each room that ended counts once, by the day (UTC) and app: archived, waiting, expired (never used: there are no
    statistics), missing (LCIC denied it for a day), failed (given up after ARCHIVE_GIVE_UP_AFTER), or gap: LCIC lists it and
    nothing has been done. What LCIC lists is known for the time that sweeps have seen whole.

    Exit code: 0 nothing is amiss, 1 a room has failed, passed its deadline (180 days), is a gap, or has been due for more
    than a day, or an app's last full sweep is more than a day old or its first one failed, 2 usage or configuration, 3 the
    database is out of reach. With --json, \`complete\` says whether, besides, nothing is left to archive.

    Examples:
      $ lcic-archive status
      $ lcic-archive status --failed
      $ lcic-archive status --json | jq .problems

    "
  `)
})

test('lcic-archive doctor --help', async () => {
  expect(await helpOf('doctor')).toMatchInlineSnapshot(`
    "Usage: lcic-archive doctor [options]

    check credentials, clock, LCIC, the database and its rights, and say what to
    mend

    Options:
      --json      print one JSON document
      -h, --help  display help for command

    One line for each thing that archiving depends on: pass; warn, it works and could be safer; fail, with what to mend; or
    skip, where something it needs has failed. It sends LCIC a handful of requests, each in a slot of the shared budget, and
    changes nothing. Run it where the workers run, in their environment: what is right on one machine may not be on another.

    How far the archive is, and what is overdue, lcic-archive status says.

    Exit code: 0 nothing has failed, 2 something has to be mended, 3 LCIC or the database is out of reach.

    Examples:
      $ lcic-archive doctor
      $ lcic-archive doctor --json | jq '.checks[] | select(.status != "pass")'

    "
  `)
})

test('lcic-archive retry --help', async () => {
  expect(await helpOf('retry')).toMatchInlineSnapshot(`
    "Usage: lcic-archive retry [options] [room_id...]

    make jobs due again

    Arguments:
      room_id     these rooms; archived ones are read once more

    Options:
      --failed    all rooms that were given up
      --json      print one JSON document
      -h, --help  display help for command

    Nothing is asked for yet: that is done by \`run\`.

    Exit code: 0 done, 1 a room has no job (name it to \`archive\` instead), 2 usage or configuration, 3 out of reach.

    Examples:
      $ lcic-archive retry 312345678
      $ lcic-archive retry --failed && lcic-archive run --until-idle

    "
  `)
})

test('lcic-archive erase-member --help', async () => {
  expect(await helpOf('erase-member')).toMatchInlineSnapshot(`
    "Usage: lcic-archive erase-member [options] <user_id>

    delete all that the archive holds of a member, for good

    Arguments:
      user_id             as LCIC has it, or as the archive has it

    Options:
      --app <sdk_app_id>  only as a member of this app; otherwise of every app
      --plan              only say what would be deleted
      --json              print one JSON document
      -h, --help          display help for command

    Deleted are the member's records and their earlier values, the same records in raw pages, and the id where rooms name it as
    their teacher's, in messages, and in fields that LCIC may have added (ids of six characters or more). Figures of rooms stay;
    rooms.erased says how many records a room lacks. Stored callbacks lose all but event, time, app and room. A digest
    of the id is kept in archive.erasures: what LCIC sends of the member from now on is left out, whoever archives, sweeps or
    replays. Workers may go on meanwhile. Stop it whenever you like and give the same id again: it goes on.

    Where ARCHIVE_PERSONAL_DATA is not keep, set it and ARCHIVE_PSEUDONYM_KEY as the workers have them.

    Not found, and not touched: the member's name elsewhere, such as in the name of a class; backups, logs of the server,
    reports, and exported files (run \`export\` again: the rooms have changed). What was deleted leaves the disk once PostgreSQL
    has vacuumed the tables. It takes a login in lcic_migrator, which owns the archive.

    Exit code: 0 done, 1 not finished, 2 usage or configuration, 3 the database is out of reach.

    Examples:
      $ lcic-archive erase-member stu-000123 --plan
      $ lcic-archive erase-member stu-000123
      $ lcic-archive erase-member stu-000123 --app 1400000001 --json

    "
  `)
})

test('lcic-archive prune --help', async () => {
  expect(await helpOf('prune')).toMatchInlineSnapshot(`
    "Usage: lcic-archive prune [options]

    delete what was kept long enough: raw pages, members, callbacks

    Options:
      --plan      only say how much would be deleted
      --json      print one JSON document
      -h, --help  display help for command

    ARCHIVE_KEEP_RAW_PAGES says how long raw pages are kept, from when they were fetched: without them a room cannot be replayed.
    ARCHIVE_KEEP_MEMBERS says how long members are kept, from the end of the class, with their earlier values and raw pages: the
    room keeps its own figures, rooms.members_pruned_at says since when, and its members are not asked for again, by no command.
    Both are durations such as 365d, or off, the default: kept for ever. ARCHIVE_KEEP_CALLBACKS is 90d unless it is set.

    Rooms that are still to be read, or read again, are passed over. Nothing prunes by itself: run it once a day. Stop it whenever
    you like; the next run goes on. It takes a login in lcic_migrator, which owns the archive.

    Exit code: 0 done, 2 usage or configuration, 3 the database is out of reach.

    Examples:
      $ ARCHIVE_KEEP_MEMBERS=1095d lcic-archive prune --plan
      $ lcic-archive prune
      30 3 * * * lcic-archive prune    # in a crontab: every night at half past three

    "
  `)
})

test('lcic-archive replay --help', async () => {
  expect(await helpOf('replay')).toMatchInlineSnapshot(`
    "Usage: lcic-archive replay [options] [room_id...]

    rebuild rooms from the raw pages in the database, without a request to LCIC

    Arguments:
      room_id     rooms to rebuild

    Options:
      --all       rebuild every room that was ever archived
      --json      print one JSON document
      -h, --help  display help for command

    Rows that are as they should be are not written. Members that were erased stay away. --all passes over rooms whose
    raw pages were deleted by \`prune\`.

    Examples:
      $ lcic-archive replay 312345678
      $ lcic-archive replay --all

    "
  `)
})

test('lcic-archive report --help', async () => {
  expect(await helpOf('report')).toMatchInlineSnapshot(`
    "Usage: lcic-archive report [options] [room_id]

    write a report for people, of one class or of all classes of a time, as one HTML
    file

    Arguments:
      room_id            the class

    Options:
      --from <time>      instead of one class: those that started from then on
      --to <time>        and before then (default: now)
      --course <course>  only classes of this course
      --out <file>       where to write it; - for stdout (default: report-….html
                         here)
      --lang <language>  default: by LC_ALL or LANG (choices: "en", "zh")
      --names            show the names of members, which are personal data
      -h, --help         display help for command

    The file needs nothing else: open it in any browser, send it, print it. Without --names members are shown by their ids.
    It reads schema analytics: role lcic_reader is enough, and lcic_pii_reader besides for --names.

    Times without a zone are those of the school (time_zone in analytics.settings); 7d is so long ago.

    Exit code: 0 done, 1 the class is not in the archive, 2 usage or configuration, 3 the database is out of reach.

    Examples:
      $ lcic-archive report 312345678
      $ lcic-archive report --from 2026-03-01 --to 2026-04-01 --lang zh --out march.html

    "
  `)
})

test('lcic-archive sql --help', async () => {
  expect(await helpOf('sql')).toMatchInlineSnapshot(`
    "Usage: lcic-archive sql [options] [query]

    ask the archive a question, or keep its embedded database running for other
    programs

    Arguments:
      query       one query, run in a read-only transaction; without it the embedded
                  database runs until Ctrl-C

    Options:
      --demo      ask what \`demo\` archived
      --json      print one JSON document
      -h, --help  display help for command

    Examples:
      $ lcic-archive sql "select course, week_start, attendance_rate from analytics.agg_course_week order by 1, 2"
      $ lcic-archive sql "select * from analytics.agg_student_course where risk_level = 'high'"
      $ lcic-archive sql          # says how to connect with psql or a BI tool, and keeps the database running

    "
  `)
})

test('lcic-archive export --help', async () => {
  expect(await helpOf('export')).toMatchInlineSnapshot(`
    "Usage: lcic-archive export [options]

    write attendance and classes to Parquet files, for a lakehouse; only months that
    changed

    Options:
      --out <dir>    where to; created if absent
      --from <time>  months from then on: a date in the time zone of the settings,
                     or see sweep
      --to <time>    months up to then
      --json         print one JSON document
      -h, --help     display help for command

    Writes analytics.fact_attendance, dim_room and fact_room_session, each as DIR/<table>/month=YYYY-MM/part-0.parquet by the month
    that classes started in, compressed with zstd. Months that have not changed since they were written are left as they are, and
    files of months that no class is left in are removed. Each file is put into its place whole, in one step: stop it whenever you
    like and start it again. A role that may only read schema analytics is enough, and gets what it sees there.

    Exit code: 0 all is written, 1 the disk is full, 2 usage or configuration, 3 the database is out of reach.

    Examples:
      $ lcic-archive export --out /data/lcic
      $ lcic-archive export --out /data/lcic --from 2026-03-01 --to 2026-04-01 --json

    "
  `)
})

test('lcic-archive docs --help', async () => {
  expect(await helpOf('docs')).toMatchInlineSnapshot(`
    "Usage: lcic-archive docs [options]

    write the data dictionary: every view and column, and example questions with
    their SQL

    Options:
      --format <format>  Markdown or HTML (choices: "md", "html", default: "md")
      --out <file>       write it to a file instead of stdout
      -h, --help         display help for command
    "
  `)
})

test('lcic-archive migrate --help', async () => {
  expect(await helpOf('migrate')).toMatchInlineSnapshot(`
    "Usage: lcic-archive migrate [options] [direction]

    apply, take back or list migrations

    Arguments:
      direction   up: apply all that are missing; down: take back the newest;
                  status: list (choices: "up", "down", "status", default: "up")

    Options:
      --yes       take back a migration although data go with it
      --json      print one JSON document
      -h, --help  display help for command

    Examples:
      $ lcic-archive migrate
      $ lcic-archive migrate status

    "
  `)
})

test('lcic-archive simulate --help', async () => {
  expect(await helpOf('simulate')).toMatchInlineSnapshot(`
    "Usage: lcic-archive simulate [options]

    run a stand-in for LCIC on this machine, strict as the real one, until Ctrl-C

    Options:
      --port <port>         where to listen on 127.0.0.1 (default: 9701)
      --scenario <file>     a JSON file that describes rooms, limits and faults
                            (default: a day at a school)
      --seed <number>       what names, numbers and faults are drawn from
      --rooms <number>      how many ordinary rooms to draw, beside special ones
      --rate <requests>     requests a second it allows for each action, 0 for any
                            number
      --latency <duration>  how long each answer takes
      --faults <percent>    share of requests that go wrong, in any of these ways:
                            reset, hang, delay, truncate, html, not-json,
                            empty-json, status, error, shift, total, duplicate
      --log <file>          write each request, with its time of arrival, to this
                            file as a line of JSON
      --json                print where it listens, and its rooms, as one JSON
                            document
      -h, --help            display help for command

    A scenario file, for example:
      {"ordinaryRooms": 40, "latencyMs": {"min": 20, "max": 80}, "requestsPerSecond": 20,
       "faults": {"rate": 0.1, "kinds": ["reset", "truncate", "shift"]},
       "rooms": [{"roomId": 5000000001, "members": 2500, "notReadyAnswers": 2},
                 {"members": 30, "overrunMinutes": 180}, {"fate": "missing"}, {"fate": "expired"}]}

    Examples:
      $ lcic-archive simulate
      $ lcic-archive simulate --rooms 1000 --rate 20 --faults 10 --log requests.jsonl

    "
  `)
})

test('lcic-archive demo --help', async () => {
  expect(await helpOf('demo')).toMatchInlineSnapshot(`
    "Usage: lcic-archive demo [options]

    archive a simulated school day into the embedded PostgreSQL, and show what an
    analyst sees

    Options:
      -h, --help  display help for command
    "
  `)
})

test('--version is that of the package', async () => {
  expect(await cli.run(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
})

test('without a command it shows help on stderr and ends as misused', async () => {
  const { exitCode, stdout, stderr } = await cli.run([])
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toBe(await helpOf())
})
