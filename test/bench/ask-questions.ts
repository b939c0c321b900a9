import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import type { Database } from '../../lib/db/tables'
import { type Question, questions, type Scope, scopes } from './dashboard-questions'
import { type Plan, type PlanCost, planCost } from './query-plan'
import { apps } from './simulated-school'
import { chooseSubjects, type Subject } from './subjects'

/** Who asks: an analyst who sees all, and one who sees the first app only. */
const askers = ['bench_analyst', 'bench_tenant'] as const

/** A question's answer, as it was got several times. */
export interface Answer {
  readonly question: Question
  /** Medians of the time until the last row was there. */
  readonly ms: { readonly analyst: number; readonly tenant: number }
  readonly rows: number
  /** Of the analyst's. */
  readonly cost: PlanCost
  /** Rows without which it cannot be answered. */
  readonly needed: number
  /** The plan in words. */
  readonly plan: string
}

/** What is asked how often. */
export interface Asking {
  readonly runs: number
  /** All by default. */
  readonly about?: readonly Scope[]
}

/** Asks each question several times as each of the askers, by turns: logins of their own, as a dashboard would have. */
export async function askAll(
  db: Kysely<Database>,
  databaseUrl: string,
  { runs, about = scopes }: Asking,
): Promise<Answer[]> {
  for (const role of askers)
    await sql`create role ${sql.id(role)} login password ${sql.lit(role)} in role lcic_reader`.execute(db)
  await sql`insert into archive.tenants (role_name, sdk_app_id) values ('bench_tenant', ${apps[0]})`.execute(db)
  const subjects = await chooseSubjects(db, about)
  const analyst = await login(databaseUrl, 'bench_analyst')
  const tenant = await login(databaseUrl, 'bench_tenant')
  try {
    const answers: Answer[] = []
    for (const question of questions) {
      const subject = subjects[question.scope]
      if (subject) answers.push(await ask(question, subject, { analyst, tenant, runs }))
    }
    return answers
  } finally {
    await analyst.end()
    await tenant.end()
  }
}

async function ask(
  question: Question,
  { value, needs }: Subject,
  { analyst, tenant, runs }: { readonly analyst: pg.Client; readonly tenant: pg.Client; readonly runs: number },
): Promise<Answer> {
  const query = { text: question.sql, values: question.scope === 'school' ? [] : [value] }
  const times = { analyst: [] as number[], tenant: [] as number[] }
  let rows = 0
  for (let run = 0; run < runs; run++) {
    const answered = await timed(analyst, query)
    rows = answered.rows
    times.analyst.push(answered.ms)
    times.tenant.push((await timed(tenant, query)).ms)
  }
  return {
    question,
    ms: { analyst: median(times.analyst), tenant: median(times.tenant) },
    rows,
    needed: needs[question.needs],
    ...(await explain(analyst, query)),
  }
}

async function login(databaseUrl: string, role: string): Promise<pg.Client> {
  const url = new URL(databaseUrl)
  url.username = role
  url.password = role
  const client = new pg.Client({ connectionString: url.toString(), options: '-c search_path=analytics' })
  await client.connect()
  return client
}

interface Query {
  readonly text: string
  readonly values: string[]
}

async function timed(client: pg.Client, query: Query): Promise<{ ms: number; rows: number }> {
  const startedAt = performance.now()
  const { rows } = await client.query({ ...query })
  return { ms: performance.now() - startedAt, rows: rows.length }
}

async function explain(client: pg.Client, { text, values }: Query): Promise<Pick<Answer, 'cost' | 'plan'>> {
  const json = await client.query<{ 'QUERY PLAN': Plan[] }>(`explain (analyze, buffers, format json) ${text}`, values)
  const lines = await client.query<{ 'QUERY PLAN': string }>(`explain (analyze, buffers) ${text}`, values)
  const [plan] = json.rows[0]?.['QUERY PLAN'] ?? []
  if (!plan) throw new Error(`There is no plan of ${text}`)
  return { cost: planCost(plan), plan: lines.rows.map((row) => row['QUERY PLAN']).join('\n') }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
