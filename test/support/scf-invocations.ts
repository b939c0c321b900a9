import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ApiError } from '../../lib/simulator/api-error'
import { authenticate, type SimulatorCredentials } from '../../lib/simulator/authentication'

/** A stand-in for SCF's action Invoke: it checks signatures, and starts nothing. */
export interface ScfInvocations {
  readonly endpoint: string
  /** What was asked for, in order of arrival; refused requests are not among them. */
  readonly asked: Readonly<Record<string, unknown>>[]
  /** How it answers from now on: as it should, with an error, or never. */
  behaviour: 'works' | 'fails' | 'hangs'
  close(): Promise<void>
}

export async function startScfInvocations(credentials: SimulatorCredentials): Promise<ScfInvocations> {
  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const invocations: ScfInvocations = {
    endpoint: `http://127.0.0.1:${port}`,
    asked: [],
    behaviour: 'works',
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return invocations

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { headers } = request
    const body = Buffer.concat(chunks)
    const answer = (content: object) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ Response: { ...content, RequestId: `scf-${invocations.asked.length}` } }))
    }
    try {
      authenticate({ method: 'POST', path: '/', query: '', headers, body }, credentials, Date.now())
      if (headers['x-tc-action'] !== 'Invoke' || headers['x-tc-version'] !== '2018-04-16') {
        throw new ApiError('InvalidAction', 'There is no such action.')
      }
      if (!headers['x-tc-region']) throw new ApiError('MissingParameter', 'There is no region.')
      invocations.asked.push({ ...JSON.parse(body.toString()), region: headers['x-tc-region'] })
      if (invocations.behaviour === 'hangs') return
      if (invocations.behaviour === 'fails')
        throw new ApiError('ResourceNotFound.Function', 'The function does not exist.')
      answer({ Result: { RetMsg: '' } })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      answer({ Error: { Code: error.code, Message: error.message } })
    }
  }
}
