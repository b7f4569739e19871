import { Code, ConnectError } from '@connectrpc/connect';
import { type EcuId, maxEcuIdLength } from '#domain/ecu.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { UpdateTarget } from '#gen/ota/console/v1/types_pb.ts';

/** Most ECUs that one request may name. */
const maxTargets = 512;

/** Longest texts of a target, in UTF-16 units. */
const caps = {
  version: 256,
  url: 2048,
  cookies: 16_384,
  releaseName: 256,
  releaseId: 256,
  imageId: 256,
} as const;
const fieldNames = {
  version: 'version',
  url: 'url',
  cookies: 'cookies',
  releaseName: 'release_name',
  releaseId: 'release_id',
  imageId: 'image_id',
} as const satisfies Record<keyof typeof caps, string>;

/** Errors: ConnectError INVALID_ARGUMENT, which names the field. */
export function checkedTargets(targets: readonly UpdateTarget[]): UpdateRequestEntry[] {
  checkedIds(
    'targets',
    targets.map(({ ecuId }) => ecuId),
    1,
  );
  return targets.map((target, at) => {
    for (const [key, cap] of Object.entries(caps) as [keyof typeof caps, number][]) {
      const where = `targets[${at}].${fieldNames[key]}`;
      if (target[key].length > cap) throw invalid(where, `is longer than ${cap} characters`);
    }
    if (target.version === '') throw invalid(`targets[${at}].version`, 'is empty');
    if (!/^https?:$/.test(URL.parse(target.url)?.protocol ?? '')) {
      throw invalid(`targets[${at}].url`, 'is not a URL of http or https');
    }
    const { ecuId, version, url, cookies, releaseName, releaseId, imageId, force } = target;
    return { ecuId, version, url, cookies, releaseName, releaseId, imageId, force };
  });
}

/** Names of ECUs, each once, at least so many. Errors: as above. */
export function checkedIds(field: string, ids: readonly string[], least: 0 | 1): readonly EcuId[] {
  if (ids.length < least) throw invalid(field, 'is empty: name at least one ECU');
  if (ids.length > maxTargets) throw invalid(field, `names more than ${maxTargets} ECUs`);
  for (const [at, id] of ids.entries()) {
    checkedId(`${field}[${at}]`, id);
    if (ids.indexOf(id) !== at) throw invalid(`${field}[${at}]`, 'names an ECU again');
  }
  return ids;
}

/** The name of one ECU. Errors: as above. */
export function checkedId(field: string, id: string): EcuId {
  if (id === '') throw invalid(field, 'names no ECU');
  if (id.length > maxEcuIdLength || /\p{Cc}/u.test(id)) throw invalid(field, 'cannot be the name of an ECU');
  return id;
}

export function checkedRequestId(id: string): string {
  if (id.length > maxEcuIdLength || /\p{Cc}/u.test(id)) {
    throw invalid('request_id', `has more than ${maxEcuIdLength} characters, or control characters`);
  }
  return id;
}

export function invalid(field: string, what: string): ConnectError {
  return new ConnectError(`${field} ${what}`, Code.InvalidArgument);
}
