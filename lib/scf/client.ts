import { v20180416 } from 'tencentcloud-sdk-nodejs/tencentcloud/services/scf/v20180416'
import type { ScfConfig } from '../config'

/** The SDK's client of Tencent Cloud's Serverless Cloud Function. It throws what the SDK throws, and repeats nothing. */
export type ScfClient = InstanceType<typeof v20180416.Client>

/** @param timeoutSeconds for each request, connection and body included */
export function createScfClient(
  { endpoint, credentials }: ScfConfig,
  { region, timeoutSeconds }: { region: string; timeoutSeconds: number },
): ScfClient {
  return new v20180416.Client({
    // Asked anew for each request, because the credentials of a role change.
    credential: {
      async getCredential() {
        const { secretId, secretKey, token } = credentials()
        return { secretId, secretKey, ...(token && { token }) }
      },
    },
    region,
    profile: {
      httpProfile: { protocol: `${endpoint.protocol}//`, endpoint: endpoint.host, reqTimeout: timeoutSeconds },
    },
  })
}
