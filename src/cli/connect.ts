import type { OtaClient } from '#api/client.ts';
import type { HostPort } from './vehicle-options.ts';

/** A client for the daemon at `host`. Loads gRPC only now: help and mistakes in options are told without it. */
export async function connect(host: HostPort): Promise<OtaClient> {
  const { OtaClient } = await import('#api/client.ts');
  return new OtaClient(host);
}
