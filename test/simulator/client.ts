import { type IncomingHttpHeaders, request } from 'node:http'
import { v20220817 } from 'tencentcloud-sdk-nodejs/tencentcloud/services/lcic/v20220817'
import { type Simulator, type SimulatorCredentials, type SimulatorOptions, startSimulator } from '../../lib/simulator'
import { dateOf, type SignedRequest, signTc3 } from '../../lib/simulator/signature'

/** Runs a test against a simulator of its own, without limits unless it sets them. */
export async function withSimulator(options: SimulatorOptions, test: (simulator: Simulator) => Promise<void>) {
  const simulator = await startSimulator({ requestsPerSecond: 0, ...options })
  try {
    await test(simulator)
  } finally {
    await simulator.close()
  }
}

/** The official SDK's client, unmodified. */
export function sdkClient(
  simulator: Simulator,
  credentials: SimulatorCredentials = simulator.credentials,
  timeoutSeconds = 5,
) {
  return new v20220817.Client({
    credential: credentials,
    profile: {
      httpProfile: { protocol: 'http://', endpoint: `127.0.0.1:${simulator.port}`, reqTimeout: timeoutSeconds },
    },
  })
}

/** The SDK types ids as numbers although it sends bigints as they are. */
export const asId = (roomId: bigint) => roomId as unknown as number

/** What an SDK call came to: its answer, or the code of its error. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'OK'
  } catch (error) {
    return String((error as { code?: unknown }).code ?? (error as Error).message)
  }
}

export interface RawCall {
  action?: string
  body?: string | Buffer
  /** In place of the usual headers; undefined takes one away. */
  headers?: Record<string, string | undefined>
  method?: string
  path?: string
  /** What is signed in place of what is sent. */
  signed?: Partial<SignedRequest>
  secretId?: string
  /** The date in the credential scope, in place of the timestamp's. */
  scopeDate?: string
}

export interface RawAnswer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The error code of the answer, or OK. */
  code: string
}

/** A request made by hand, for all that the SDK would never send. */
export function rawCall(simulator: Simulator, call: RawCall = {}): Promise<RawAnswer> {
  const { method = 'POST', path = '/', body = '{}', action = 'DescribeRoomStatistics' } = call
  const { secretId, secretKey } = simulator.credentials
  const timestamp = call.signed?.timestamp ?? Math.floor(Date.now() / 1000)
  const service = call.signed?.service ?? 'lcic'
  const host = `127.0.0.1:${simulator.port}`
  const signedHeaders = call.signed?.headers ?? [
    ['content-type', 'application/json'],
    ['host', host],
  ]
  const signature = signTc3({
    ...{ secretKey, timestamp, service, method, path, query: '', headers: signedHeaders, payload: body },
    ...call.signed,
  })
  const scope = `${call.secretId ?? secretId}/${call.scopeDate ?? dateOf(timestamp)}/${service}/tc3_request`
  const names = signedHeaders.map(([name]) => name).join(';')
  const headers = {
    'content-type': 'application/json',
    'x-tc-action': action,
    'x-tc-version': '2022-08-17',
    'x-tc-timestamp': String(timestamp),
    authorization: `TC3-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names}, Signature=${signature}`,
    'content-length': String(Buffer.byteLength(body)),
    ...call.headers,
  }
  const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: simulator.port, method, path, headers: sent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, code: errorCodeIn(text) })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function errorCodeIn(text: string): string {
  const answer = JSON.parse(text) as { Response?: { Error?: { Code: string } } }
  return answer.Response?.Error?.Code ?? 'OK'
}
