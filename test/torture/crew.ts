import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { Simulator } from '../../lib/simulator'
import { type CallbackAnswer, type CallbackKind, callBack } from './call-back'
import type { MemorySample } from './checks/memory'
import type { Plan } from './plan'
import type { Postgres } from './postgres'
import { startProcess } from './start-process'
import type { Way } from './way'
import { type ProcessEnd, startWorker, type Worker } from './worker'

/** All processes of the product in a round: some that work, one that serves, and commands of the operator. */
export interface Crew extends AsyncDisposable {
  readonly workers: readonly Worker[]
  readonly callbackKey: string
  /** All that callbacks were answered so far. */
  readonly answers: readonly CallbackAnswer[]
  callBack(kind: CallbackKind, roomId: bigint): Promise<CallbackAnswer>
  /** Runs another command. @returns its exit code */
  command(args: readonly string[]): Promise<number | null>
  sampleMemory(): void
  memory(): MemorySample[]
  /** Of workers. */
  ends(): ProcessEnd[]
  /** Tells all to stop, and waits for that. */
  end(): Promise<void>
}

export interface CrewOptions {
  readonly plan: Plan
  readonly program: string
  /** Takes their logs. */
  readonly directory: string
  readonly startedAt: number
  readonly postgres: Postgres
  readonly toApi: Way
  readonly toDatabase: Way
  readonly simulator: Simulator
}

export async function startCrew(options: CrewOptions): Promise<Crew> {
  const { plan, program, directory, postgres, toApi, toDatabase, simulator } = options
  const callbackKey = `callback-key-${plan.seed}-of-the-round`
  const { sdkAppId } = simulator.school
  const port = await freePort()
  const env = {
    DATABASE_URL: postgres.urlBy(toDatabase.port),
    LCIC_ENDPOINT: `http://127.0.0.1:${toApi.port}`,
    LCIC_SDK_APP_IDS: String(sdkAppId),
    LCIC_CALLBACK_KEY: callbackKey,
    // A room is read once, unless its source changes.
    ARCHIVE_REREAD_AFTER: 'off',
    LOG_LEVEL: 'debug',
    TENCENTCLOUD_SECRET_ID: simulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: simulator.credentials.secretKey,
  }
  const workers = [
    startWorker({
      program,
      directory,
      env,
      name: 'server',
      args: ['serve', '--port', `${port}`, '--sweep-every', '30s'],
    }),
    ...Array.from({ length: plan.shape.workers }, (_, index) =>
      startWorker({
        ...{ program, directory, name: `worker-${index}`, args: ['run'] },
        env: { ...env, TORTURE_CLOCK: clockOf(index, options) },
      }),
    ),
  ]
  const answers: CallbackAnswer[] = []
  let commands = 0
  const end = async () => {
    await Promise.all(workers.map((worker) => worker.end()))
  }
  return {
    workers,
    callbackKey,
    answers,
    async callBack(kind, roomId) {
      const answer = await callBack({ port, key: callbackKey, sdkAppId }, kind, roomId)
      answers.push(answer)
      return answer
    },
    async command(args) {
      const logFile = join(directory, `${args[0]}-${++commands}.log`)
      const { exitCode } = await startProcess({ program, args, env, directory, logFile }).ended
      return exitCode
    },
    sampleMemory() {
      for (const worker of workers) worker.sampleMemory()
    },
    memory: () => workers.flatMap(({ memory }) => memory),
    ends: () => workers.flatMap(({ ends }) => ends),
    end,
    [Symbol.asyncDispose]: end,
  }
}

/** What the preload is told of a worker's clock. */
function clockOf(worker: number, { plan, startedAt }: CrewOptions): string {
  const own = plan.clocks.filter((clock) => clock.worker === worker)
  return JSON.stringify(
    own.map(({ fromMs, toMs, shiftMs }) => ({ from: startedAt + fromMs, to: startedAt + toMs, shiftMs })),
  )
}

/** One that is free now; the server has it for the whole round, however often it is started again. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
