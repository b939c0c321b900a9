import type { Observer } from '../../lib/deploy/apply'
import { type Artifact, zipOf } from '../../lib/deploy/bundle'
import { readService } from '../../lib/deploy/configuration'
import { type Artifacts, deployService } from '../../lib/deploy/deployment'
import { createScfApi, type Pacing, type ScfApi, type ScfApiOptions } from '../../lib/deploy/scf-api'
import { fileOf, type Service } from '../../lib/deploy/service'
import { type ScfStub, startScfStub } from './scf-stub'

/** As patient as tests are. */
export const quick: Pacing = { pollMs: 1, patienceMs: 2000, retryMs: 1, retries: 4, timeoutSeconds: 5 }

export async function withStub(test: (stub: ScfStub) => Promise<void>): Promise<void> {
  const stub = await startScfStub()
  try {
    await test(stub)
  } finally {
    await stub.close()
  }
}

export function apiOf(stub: ScfStub, options: Partial<ScfApiOptions> = {}): ScfApi {
  const scf = { endpoint: stub.endpoint, credentials: () => stub.credentials }
  return createScfApi({ scf, region: 'ap-guangzhou', pacing: quick, ...options })
}

/** Two functions, one of them invoked on deployment, as serverless.yml would have them. */
export interface Functions {
  readonly migrate?: object
  readonly worker?: object
  readonly provider?: object
}

export function raw({ migrate = {}, worker = {}, provider = {} }: Functions = {}) {
  return {
    service: 'lcic-archive',
    stage: 'test',
    provider: {
      name: 'tencent',
      region: 'ap-guangzhou',
      environment: { DATABASE_URL: 'postgres://u:secret@db/lcic' },
      ...provider,
    },
    functions: {
      worker: {
        name: 'lcic-archive-test-worker',
        handler: 'archive-rooms.main_handler',
        events: [{ timer: { name: 'every-minute', cron: '0 * * * * * *' } }, { http: true }],
        ...worker,
      },
      migrate: {
        name: 'lcic-archive-test-migrate',
        handler: 'migrate.main_handler',
        invokedOnDeploy: true,
        ...migrate,
      },
    },
  }
}

export const serviceOf = (functions: Functions = {}): Service => readService(raw(functions))

/** Code of a function, without a bundler. */
export function artifactsOf({ functions }: Service, code = 'exports.main_handler = async () => 1'): Artifacts {
  return new Map(
    functions.map(({ key, handler }): [string, Artifact] => {
      const file = `${fileOf(handler)}.js`
      return [key, { file, code, ...zipOf(file, code) }]
    }),
  )
}

export const silent: Observer = { step: () => undefined, waiting: () => undefined, answered: () => undefined }

/** Deploys, and says which requests changed something. */
export async function deploy(
  stub: ScfStub,
  functions: Functions = {},
  { code, observer = silent, api = apiOf(stub) }: { code?: string; observer?: Observer; api?: ScfApi } = {},
): Promise<string[]> {
  stub.forget()
  const service = serviceOf(functions)
  await deployService(api, service, artifactsOf(service, code), observer)
  return stub.writes()
}
