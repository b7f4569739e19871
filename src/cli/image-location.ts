import { directoryAccess, type ImageAccess } from '#image/build/image-access.ts';
import { HttpSource } from '#net/http-source.ts';
import type { WireMeter } from '#net/wire-meter.ts';
import { UsageError } from './command.ts';

const noMeter: WireMeter = { bytes: () => {}, failedAttempt: () => {} };

/** An image as a command names it: a directory, or the base URL of a server. To be disposed of. */
export interface OpenImage extends AsyncDisposable {
  readonly access: ImageAccess;
}

/** Errors: UsageError when `location` looks like a URL and is none that can be read. */
export function openImage(location: string): OpenImage {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(location)) {
    return { access: directoryAccess(location), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const url = URL.parse(location);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`"${location}" is no http:// or https:// URL`);
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/`;
  url.search = '';
  url.hash = '';
  const source = new HttpSource({ origin: url, cookies: new Map(), clientVersion: 'cli' });
  return {
    access: {
      baseUrl: url,
      mayBeUnsigned: false,
      read: (file, signal) => source.read({ url: file, maxBytes: Number.MAX_SAFE_INTEGER }, noMeter, signal),
      identify: () => Promise.resolve(undefined),
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
