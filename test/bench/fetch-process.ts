import { Agent, request } from 'node:http'
import { PAGE_LIMIT } from '../../lib/lcic/client'
import { dateOf, signTc3 } from '../../lib/simulator/signature'
import { runMeasured } from './measured'
import type { LoadTask, Source } from './steps'

const PAGES_AT_ONCE = 8

/** The floor of fetching: signed requests for all pages, eight at once, whose answers nobody looks at. */
runMeasured(async (source: LoadTask, measure) => {
  const { roomIds, members } = source
  const agent = new Agent({ keepAlive: true })
  const pages = Array.from({ length: Math.ceil(members / PAGE_LIMIT) }, (_, index) => index + 1)
  const queue = roomIds.flatMap((roomId) => pages.map((page) => ({ roomId, page }))).values()
  async function work(): Promise<void> {
    for (const { roomId, page } of queue) await fetchPage(agent, source, roomId, page)
  }
  const { result: _, ...cost } = await measure(() => Promise.all(Array.from({ length: PAGES_AT_ONCE }, work)))
  agent.destroy()
  return { ...cost, rows: roomIds.length * members }
})

function fetchPage(agent: Agent, { endpoint, credentials }: Source, roomId: string, page: number): Promise<void> {
  const { host } = new URL(endpoint)
  const payload = `{"RoomId":${roomId},"Page":${page},"Limit":${PAGE_LIMIT}}`
  const timestamp = Math.floor(Date.now() / 1000)
  const signed = [
    ['content-type', 'application/json'],
    ['host', host],
  ] as const
  const { secretId, secretKey } = credentials
  const what = { secretKey, timestamp, service: 'lcic', method: 'POST', path: '/', query: '', headers: signed, payload }
  const scope = `${dateOf(timestamp)}/lcic/tc3_request`
  const headers = {
    ...Object.fromEntries(signed),
    authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, SignedHeaders=content-type;host, Signature=${signTc3(what)}`,
    'content-length': Buffer.byteLength(payload),
    'x-tc-action': 'DescribeRoomStatistics',
    'x-tc-version': '2022-08-17',
    'x-tc-timestamp': String(timestamp),
  }
  return new Promise((resolve, reject) => {
    const asking = request(endpoint, { agent, method: 'POST', headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`The source answered HTTP ${response.statusCode}`))
      response.resume().once('end', resolve)
    })
    asking.once('error', reject)
    asking.end(payload)
  })
}
