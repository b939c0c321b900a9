import { isUtf8 } from 'node:buffer'
import { SourceError } from './errors'

/** As much of node-fetch's Response as is read here. */
export interface HttpResponse {
  readonly status: number
  readonly statusText: string
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Buffer> & { destroy?(): void }
  json(): Promise<unknown>
}

/** Far above any page: 1,000 records take about 400 KB. */
const MOST_BYTES = 64 * 1024 * 1024

/** The body as UTF-8; bytes that are none become U+FFFD. @throws {SourceError} `E_ANSWER_TOO_LARGE` past 64 MB. */
export async function readBody(response: HttpResponse): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) {
      response.body.destroy?.()
      throw new SourceError('transient', 'E_ANSWER_TOO_LARGE', `The answer is larger than ${MOST_BYTES} bytes.`)
    }
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks, bytes)
  return isUtf8(body) ? body : Buffer.from(body.toString('utf8'))
}

/** `Retry-After` in milliseconds, from its seconds form; at most a minute is believed. */
export function retryAfterMs(response: Pick<HttpResponse, 'headers'>): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined
}
