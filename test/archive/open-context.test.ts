import { expect, test, vi } from 'vitest'
import { openContext } from '../../lib/archive/open-context'
import { systemClock } from '../../lib/clock'
import { readConfig } from '../../lib/config'
import { connect } from '../../lib/db/connect'
import { databaseTime } from '../../lib/db/instant'
import { testLog } from '../support/log-directory'

const db = connect({ url: 'postgres://nobody@127.0.0.1:1/none' })
const open = (environment: Record<string, string>) => openContext(readConfig(environment), { db, log: testLog() })

test('work goes by the clock of the machine, what is written by that of the database', () => {
  using context = open({})
  expect(context.clock).toBe(systemClock)
  expect(context.now()).toBe(databaseTime)
  expect(context.db).toBe(db)
})

test('what the operator decides is handed on, and nothing else', () => {
  using ordinary = open({ ARCHIVE_GIVE_UP_AFTER: '5d' })
  expect(ordinary.policy).toStrictEqual({ giveUpAfterMs: 5 * 86_400_000, rereadAfterMs: 86_400_000 })
  const pseudonymKey = '0123456789abcdef0123456789abcdef'
  using other = open({
    ARCHIVE_REREAD_AFTER: 'off',
    ARCHIVE_PERSONAL_DATA: 'drop',
    ARCHIVE_PSEUDONYM_KEY: pseudonymKey,
  })
  expect(other.policy).toStrictEqual({ giveUpAfterMs: 7 * 86_400_000, personalData: { mode: 'drop', pseudonymKey } })
})

test('its budget is that of the database, and of whoever asks LCIC', async () => {
  using context = open({
    LCIC_ENDPOINT: 'http://127.0.0.1:1',
    TENCENTCLOUD_SECRET_ID: 'somebody',
    TENCENTCLOUD_SECRET_KEY: 'nothing',
  })
  await expect(context.budget.take('GetRooms', { mostMs: 1000 })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('once it is disposed of, its connections are closed', () => {
  const close = vi.fn()
  {
    using context = open({})
    vi.spyOn(context.lcic, 'close').mockImplementation(close)
  }
  expect(close).toHaveBeenCalledTimes(1)
})
