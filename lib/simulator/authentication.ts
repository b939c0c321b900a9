import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ApiError } from './api-error'
import { dateOf, signTc3 } from './signature'

/** The one account that the simulator knows. With a `token` it is a temporary one, and every request must carry it. */
export interface SimulatorCredentials {
  secretId: string
  secretKey: string
  token?: string
}

/** A whole request. */
export interface SignedParts {
  method: string
  path: string
  query: string
  headers: IncomingHttpHeaders
  body: Uint8Array
}

/**
 * Checks who sent a request, as the API's gateway does: form, clock, secret id, token, signature.
 *
 * @throws ApiError with an `AuthFailure.*` code.
 */
export function authenticate(request: SignedParts, credentials: SimulatorCredentials, nowMs: number): void {
  const { secretId, date, service, signedHeaders, signature } = readAuthorization(request.headers.authorization)
  const timestamp = Number(request.headers['x-tc-timestamp'])
  if (Math.abs(nowMs / 1000 - timestamp) > mostSkewSeconds) {
    throw new ApiError(
      'AuthFailure.SignatureExpire',
      `The signature has expired. X-TC-Timestamp is \`${timestamp}\`, the server's time is \`${Math.floor(nowMs / 1000)}\`.`,
    )
  }
  if (secretId !== credentials.secretId) {
    throw new ApiError(
      'AuthFailure.SecretIdNotFound',
      'The SecretId is not found, please ensure that your SecretId is correct.',
    )
  }
  checkToken(single(request.headers['x-tc-token']) ?? '', credentials)
  const scopeIsPlausible =
    date === dateOf(timestamp) && servicesOf(request).includes(service) && coversTheEssentials(signedHeaders)
  if (!scopeIsPlausible || !signatureMatches()) {
    throw new ApiError(
      'AuthFailure.SignatureFailure',
      'The provided credentials could not be validated. Please check your signature is correct.',
    )
  }

  /** SDKs differ in whether they sign the host with its port; both are right when the rest is. */
  function signatureMatches(): boolean {
    const host = request.headers.host ?? ''
    return [...new Set([host, host.replace(/:\d+$/, '')])].some((signedHost) => {
      const headers = signedHeaders.map(
        (name) => [name, name === 'host' ? signedHost : (single(request.headers[name]) ?? '')] as const,
      )
      const { method, path, query, body } = request
      const { secretKey } = credentials
      const expected = signTc3({ secretKey, timestamp, service, method, path, query, headers, payload: body })
      return timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(signature, 'hex'))
    })
  }
}

const mostSkewSeconds = 5 * 60

const authorizationForm =
  /^TC3-HMAC-SHA256 +Credential=([^/,\s]+)\/(\d{4}-\d\d-\d\d)\/([^/,\s]+)\/tc3_request, *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$/

function readAuthorization(authorization: string | undefined) {
  const [whole, secretId = '', date = '', service = '', signedHeaders = '', signature = ''] =
    authorizationForm.exec(authorization ?? '') ?? []
  if (whole === undefined) {
    throw new ApiError(
      'AuthFailure.InvalidAuthorization',
      'The Authorization header is not of the TC3-HMAC-SHA256 form.',
    )
  }
  return { secretId, date, service, signedHeaders: signedHeaders.split(';'), signature }
}

function checkToken(token: string, credentials: SimulatorCredentials): void {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  if (!timingSafeEqual(digest(token), digest(credentials.token ?? ''))) {
    throw new ApiError(
      'AuthFailure.TokenFailure',
      'Token verification failed, please ensure that your token is correct.',
    )
  }
}

/** Clients sign the product's name, or the endpoint's first label when the endpoint is not the product's own. */
function servicesOf(request: SignedParts): string[] {
  return ['lcic', request.headers.host?.split('.')[0] ?? '']
}

function coversTheEssentials(signedHeaders: readonly string[]): boolean {
  return signedHeaders.includes('content-type') && signedHeaders.includes('host')
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header
}
