import { createHash, createHmac } from 'node:crypto'

/** What TC3-HMAC-SHA256 signs. */
export interface SignedRequest {
  secretKey: string
  /** Unix seconds. */
  timestamp: number
  /** The product in the credential scope, such as `lcic`. */
  service: string
  method: string
  path: string
  /** The query string without its question mark. */
  query: string
  /** The signed headers in the order in which they are signed, names in lower case. */
  headers: readonly (readonly [name: string, value: string])[]
  payload: string | Uint8Array
}

/** The signature of a request by API 3.0's TC3-HMAC-SHA256, in lower-case hex. A pure function. */
export function signTc3(request: SignedRequest): string {
  const canonicalRequest = [
    request.method,
    request.path,
    request.query,
    ...request.headers.map(([name, value]) => `${name}:${value.trim().toLowerCase()}`),
    '',
    request.headers.map(([name]) => name).join(';'),
    sha256(request.payload),
  ].join('\n')
  const date = dateOf(request.timestamp)
  const scope = `${date}/${request.service}/tc3_request`
  const stringToSign = ['TC3-HMAC-SHA256', request.timestamp, scope, sha256(canonicalRequest)].join('\n')
  const key = [date, request.service, 'tc3_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `TC3${request.secretKey}`,
  )
  return createHmac('sha256', key).update(stringToSign).digest('hex')
}

/** The UTC date of a timestamp in Unix seconds, as a credential scope names it. */
export function dateOf(timestamp: number): string {
  return new Date(timestamp * 1000).toISOString().slice(0, 10)
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
