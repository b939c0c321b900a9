import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ApiError } from '../../lib/simulator/api-error'
import { authenticate, type SimulatorCredentials } from '../../lib/simulator/authentication'
import { actions, type World } from './scf-actions'
import { parameterSchemas } from './scf-state'

/** A request as the stand-in saw it. */
export interface StubRequest {
  readonly action: string
  readonly parameters: Readonly<Record<string, unknown>>
  /** `OK`, or the error code. */
  readonly outcome: string
}

/** A running stand-in for SCF's API, strict as its documents. */
export interface ScfStub extends World {
  readonly endpoint: URL
  readonly credentials: SimulatorCredentials
  /** Every request, in order of arrival. */
  readonly requests: StubRequest[]
  /** Answers the next requests of an action with an error, or does what they ask and lets the answer get lost (`LOST`). */
  fail(action: keyof typeof actions, code: string, times?: number): void
  /** The actions that change something, in order, with the function's key. */
  writes(): string[]
  forget(): void
  close(): Promise<void>
}

export async function startScfStub(): Promise<ScfStub> {
  const faults: { action: string; code: string }[] = []
  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stub: ScfStub = {
    endpoint: new URL(`http://127.0.0.1:${port}`),
    credentials: { secretId: 'stub-secret-id', secretKey: 'stub-secret-key' },
    requests: [],
    functions: new Map(),
    looks: 1,
    urlLooks: 0,
    endings: new Map(),
    invoke: () => ({ RetMsg: '{"applied":[]}' }),
    fail(action, code, times = 1) {
      faults.push(...Array.from({ length: times }, () => ({ action, code })))
    },
    writes: () =>
      stub.requests
        .filter(({ action, outcome }) => !/^(Get|List)/.test(action) && outcome === 'OK')
        .map(
          ({ action, parameters }) => `${action} ${String(parameters.FunctionName).replace(/^lcic-archive-test-/, '')}`,
        ),
    forget() {
      stub.requests.length = 0
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return stub

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const action = String(request.headers['x-tc-action'])
    const seen = { action, parameters: {}, outcome: 'OK' }
    stub.requests.push(seen)
    const fault = faults.find((planned) => planned.action === action)
    if (fault) faults.splice(faults.indexOf(fault), 1)
    let answer: object
    try {
      authenticate(
        { method: 'POST', path: '/', query: '', headers: request.headers, body },
        stub.credentials,
        Date.now(),
      )
      if (fault && fault.code !== 'LOST') throw new ApiError(fault.code, 'A planned fault.')
      answer = perform(action, request, body, seen)
      if (fault) return void response.destroy()
    } catch (error) {
      const { code: Code, message: Message } =
        error instanceof ApiError ? error : new ApiError('InternalError', String(error))
      seen.outcome = Code
      answer = { Error: { Code, Message } }
    }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ Response: { ...answer, RequestId: `request-${stub.requests.length}` } }))
  }

  function perform(action: string, { headers }: IncomingMessage, body: Buffer, seen: { parameters: object }): object {
    if (headers['x-tc-version'] !== '2018-04-16') throw new ApiError('NoSuchVersion', 'There is no such version.')
    if (!headers['x-tc-region']) throw new ApiError('MissingParameter', 'There is no region.')
    if (!isAction(action)) throw new ApiError('InvalidAction', `There is no action ${action}.`)
    const { success, data, error } = parameterSchemas[action].safeParse(JSON.parse(body.toString()))
    if (!success) {
      const [{ code, path, message } = error.issues[0] ?? { code: '', path: [], message: '' }] = error.issues
      const name = code === 'unrecognized_keys' ? 'UnknownParameter' : 'InvalidParameterValue'
      throw new ApiError(name, `${path.join('.')}: ${message}`)
    }
    seen.parameters = data
    const run: (world: World, given: never) => object = actions[action]
    return run(stub, data as never)
  }
}

function isAction(name: string): name is keyof typeof actions {
  return Object.hasOwn(actions, name)
}
