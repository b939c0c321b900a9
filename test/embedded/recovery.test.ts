import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, cp, mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { bundleCommand, Command, isAlive, serverPid } from './spawn-command'
import { fast, makeWorkplace, removeWorkplace, workplace } from './workplace'

const bundle = join(workplace, 'command.cjs')
const directory = join(workplace, 'data')
const data = join(directory, 'postgres')
const start = (inDirectory = directory, settings: Record<string, string> = fast) =>
  new Command({ bundle, directory: inDirectory, settings })

beforeAll(async () => {
  await makeWorkplace()
  await bundleCommand(bundle)
})
afterAll(removeWorkplace)

test('an init that was killed does not block, and is removed', async () => {
  const killed = start()
  await killed.progressed()
  expect(killed.progress).toEqual(['creating the database (first run, about 2 s)'])
  await killed.kill()

  // What another one, long gone, left half-made.
  const gone = spawn(process.execPath, ['--version'])
  await once(gone, 'exit')
  await mkdir(join(directory, `postgres.${gone.pid}.0123abcd.tmp`, 'postgres'), { recursive: true })
  await writeFile(join(directory, `postgres.${gone.pid}.0123abcd.tmp`, 'postgres', 'PG_VERSION'), '18\n')

  const next = start()
  await next.opened()
  await next.query('create table kept as select 42 as answer')
  await next.close()
  expect((await readdir(directory)).sort()).toEqual(['pgpass', 'postgres', 'postgres.log'])
})

test('what an earlier process of the same id left half-made is removed', async () => {
  const leftover = join(directory, `postgres.${process.pid}.0123abcd.tmp`)
  await mkdir(leftover)
  await utimes(leftover, 0, 0)
  await (await openEmbeddedDatabase({ directory, settings: fast })).close()
  expect(await readdir(directory)).not.toContain(leftover)
  expect((await readdir(directory)).length).toBe(3)
})

test('what a living process is making stays', async () => {
  const parent = join(directory, `postgres.${process.ppid}.0123abcd.tmp`)
  await mkdir(parent)
  await (await openEmbeddedDatabase({ directory, settings: fast })).close()
  expect(await readdir(directory)).toContain(`postgres.${process.ppid}.0123abcd.tmp`)
})

test('a server that was killed recovers', async () => {
  const command = start(directory, {})
  await command.opened()
  await command.query('insert into kept values (43)')
  process.kill(serverPid(data), 'SIGKILL')
  await command.forget()

  const next = start()
  await next.opened()
  expect(await next.query('select count(*)::int from kept')).toEqual([{ count: 2 }])
  await next.close()
})

test('while a process of a killed server still works on the data, no other server does', async () => {
  const refusals = async () => (await readFile(join(directory, 'postgres.log'), 'utf8')).split('is still in use').length
  const command = start(directory, {})
  await command.opened()
  const [row] = await command.query('select pg_backend_pid() as pid')
  const backend = Number(row?.pid)
  // A stopped process does not notice that its server is gone.
  process.kill(backend, 'SIGSTOP')
  process.kill(serverPid(data), 'SIGKILL')
  await command.kill()

  const before = await refusals()
  const abort = new AbortController()
  const refused = expect(openEmbeddedDatabase({ directory, signal: abort.signal })).rejects.toBe('no longer')
  await vi.waitFor(async () => expect(await refusals()).toBeGreaterThan(before), { timeout: 10_000 })
  abort.abort('no longer')
  await refused

  const next = start()
  process.kill(backend, 'SIGKILL')
  await next.opened()
  expect(await next.query('select count(*)::int from kept')).toEqual([{ count: 2 }])
  await next.close()
})

test('a connection that broke does not keep close from stopping the server', async () => {
  const database = await openEmbeddedDatabase({ directory, settings: fast })
  const pid = serverPid(data)
  const other = start()
  await other.opened()
  await other.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lcic-archive lock'`,
  )
  await other.forget()
  await database.close()
  expect(isAlive(pid)).toBe(false)
})

test('closing after the server is gone is no error', async () => {
  const database = await openEmbeddedDatabase({ directory, settings: fast })
  process.kill(serverPid(data), 'SIGQUIT')
  await database.close()
})

test('a postmaster.pid whose process id another program has now is no server', async () => {
  const database = await openEmbeddedDatabase({ directory, settings: fast })
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8')
  const pid = serverPid(data)
  await database.close()
  for (const foreign of [process.pid, 1]) {
    await writeFile(join(data, 'postmaster.pid'), text.replace(String(pid), String(foreign)))
    // Several meet it at once, and one of them starts the server that the others must leave alone.
    const opened = await Promise.all([1, 2, 3].map(() => openEmbeddedDatabase({ directory, settings: fast })))
    expect(new Set(opened.map(({ port }) => port)).size).toBe(1)
    expect(serverPid(data)).not.toBe(foreign)
    await Promise.all(opened.map((each) => each.close()))
  }
  expect(isAlive(process.pid)).toBe(true)
})

test('a postmaster.pid that a crash left empty is no server', async () => {
  await writeFile(join(data, 'postmaster.pid'), '')
  await utimes(join(data, 'postmaster.pid'), 0, 0)
  await (await openEmbeddedDatabase({ directory, settings: fast })).close()
})

test('a copy of the directory of a running server is a database of its own', async () => {
  const copied = join(workplace, 'copied')
  await cp(directory, copied, { recursive: true })
  const original = start()
  const { port } = await original.opened()
  await cp(join(data, 'postmaster.pid'), join(copied, 'postgres', 'postmaster.pid'))

  const copy = start(copied)
  expect((await copy.opened()).port).not.toBe(port)
  await copy.query('drop table kept')
  expect(await original.query('select count(*)::int from kept')).toEqual([{ count: 2 }])
  await copy.close()
  await original.close()
})

test.runIf(process.platform === 'linux')('a directory that is moved keeps its running server', async () => {
  const killed = start()
  const { port } = await killed.opened()
  const pid = serverPid(data)
  await killed.kill()
  const moved = join(workplace, 'moved')
  await rename(directory, moved)

  const next = start(moved)
  expect((await next.opened()).port).toBe(port)
  await next.close()
  expect(isAlive(pid)).toBe(false)
  await rename(moved, directory)
})

test('a start that fails, such as on damaged data, says why', async () => {
  await appendFile(join(data, 'postgresql.conf'), 'no such setting\n')
  await expect(openEmbeddedDatabase({ directory, settings: fast })).rejects.toMatchObject({
    code: 'E_EMBEDDED_START',
    message: expect.stringContaining('syntax error in file'),
  })
})
