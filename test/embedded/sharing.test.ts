import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEmbeddedDatabase } from '../../lib/embedded'
import { bundleCommand, Command, isAlive, serverPid } from './spawn-command'
import { fast, makeWorkplace, removeWorkplace, workplace } from './workplace'

const bundle = join(workplace, 'command.cjs')
const directory = join(workplace, 'shared')
const start = (inDirectory = directory) => new Command({ bundle, directory: inDirectory, settings: fast })

beforeAll(async () => {
  await makeWorkplace()
  await bundleCommand(bundle)
})
afterAll(removeWorkplace)

test('six at once on a fresh directory have one database', async () => {
  const commands = Array.from({ length: 6 }, () => start())
  const opened = await Promise.all(commands.map((command) => command.opened()))
  expect(new Set(opened.map(({ url }) => url)).size).toBe(1)
  const pid = serverPid(join(directory, 'postgres'))

  await commands[0]?.query('create table seen (by int)')
  await Promise.all(commands.map((command, index) => command.query(`insert into seen values (${index})`)))
  expect(await commands[5]?.query('select count(*)::int from seen')).toEqual([{ count: 6 }])

  await Promise.all(commands.map((command) => command.close()))
  expect(isAlive(pid)).toBe(false)
})

test('one that closes does not cut off another, and the last one stops the server', async () => {
  const [first, second] = [start(), start()]
  const { dataDirectory } = await first.opened()
  await second.opened()
  const pid = serverPid(dataDirectory)

  await first.close()
  expect(await second.query('select count(*)::int from seen')).toEqual([{ count: 6 }])
  expect(isAlive(pid)).toBe(true)

  await second.close()
  expect(isAlive(pid)).toBe(false)
})

test('many that come and go at once all work', async () => {
  const comeAndGo = async () => {
    for (let round = 0; round < 8; round++) {
      const database = await openEmbeddedDatabase({ directory, settings: fast })
      await database.close()
    }
  }
  const command = start()
  await Promise.all([comeAndGo(), comeAndGo(), comeAndGo(), command.opened()])
  expect(await command.query('select count(*)::int from seen')).toEqual([{ count: 6 }])
  await command.close()
  await expect(readFile(join(directory, 'postgres', 'postmaster.pid'))).rejects.toThrow('ENOENT')
})

test('one that is killed leaves the server to the next, who stops it', async () => {
  const killed = start()
  const { dataDirectory } = await killed.opened()
  const pid = serverPid(dataDirectory)
  await killed.kill()
  expect(isAlive(pid)).toBe(true)

  const next = start()
  await next.opened()
  expect(serverPid(dataDirectory)).toBe(pid)
  await next.close()
  expect(isAlive(pid)).toBe(false)
})

test('Ctrl-C in the terminal ends the command and not the server', async () => {
  const interrupted = start()
  const { dataDirectory } = await interrupted.opened()
  const pid = serverPid(dataDirectory)
  const other = start()
  await other.opened()

  await interrupted.interrupt()
  expect(await other.query('select 1 as one')).toEqual([{ one: 1 }])
  expect(isAlive(pid)).toBe(true)
  await other.close()
  expect(isAlive(pid)).toBe(false)
})

test('one that forgets to close ends all the same', async () => {
  const forgetful = start()
  await forgetful.opened()
  await forgetful.forget()
  const next = start()
  await next.opened()
  await next.close()
})
