import type { UpdateRequest } from '#ecu/ecu.ts';
import type { Release } from './releases.ts';
import type { Scene } from './scene.ts';

/** One request for all ECUs. */
export function updateEntries({ ecus, server }: Scene, { version }: Release): UpdateRequest['entries'] {
  return ecus.map(({ ecuId }) => ({
    ecuId,
    version,
    url: new URL(`${version}/`, server.url).href,
    // The server counts by it: all ECUs have one address in common.
    cookies: JSON.stringify({ ecu: ecuId }),
    releaseName: '',
    releaseId: '',
    imageId: '',
  }));
}
