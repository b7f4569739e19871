import { NetError } from './net-error.ts';
import type { WireRequest } from './wire-request.ts';

/** Where one request is sent and what it carries. `headers` are names and values by turns, as undici likes them. */
export interface Hop {
  readonly origin: string;
  readonly path: string;
  readonly headers: string[];
}

export interface RouterOptions {
  readonly origin: URL;
  readonly cookies: ReadonlyMap<string, string>;
  readonly proxy?: URL | undefined;
  readonly clientVersion?: string | undefined;
}

/** Decides for every URL where its request goes and which secrets may go with it. */
export class Router {
  /** Scheme, host and port that the cookies belong to. */
  readonly #cookieOrigin: string;
  readonly #cookie: string | undefined;
  readonly #proxy: URL | undefined;
  readonly #common: readonly string[];

  constructor(options: RouterOptions) {
    const { origin, cookies, proxy } = options;
    if (proxy !== undefined && proxy.protocol !== 'http:') {
      throw new NetError('bad_url', proxy, 'the proxy must be an http:// URL');
    }
    this.#cookieOrigin = origin.origin;
    this.#cookie = cookies.size === 0 ? undefined : cookieHeader(cookies);
    this.#proxy = proxy;
    const version = options.clientVersion;
    const client = version === undefined ? 'ota-client' : `ota-client/${version}`;
    this.#common = ['user-agent', client, 'accept-encoding', 'identity'];
  }

  /** `range` is the value of the Range header, `ifRange` that of If-Range. */
  hop(url: URL, request: WireRequest, range: string | undefined, ifRange: string | undefined): Hop {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new NetError('bad_url', url, 'neither http nor https');
    }
    const headers = [...this.#common];
    if (this.#cookie !== undefined && url.origin === this.#cookieOrigin) headers.push('cookie', this.#cookie);
    if (url.username !== '') headers.push('authorization', basicCredentials(url));
    if (range !== undefined) headers.push('range', range);
    if (ifRange !== undefined) headers.push('if-range', ifRange);
    const path = url.pathname + url.search;
    if (this.#proxy === undefined) return { origin: url.origin, path, headers };

    headers.push('host', url.host);
    const directives = cacheControl(request);
    if (directives !== '') headers.push('ota-file-cache-control', directives);
    if (this.#proxy.username !== '') headers.push('proxy-authorization', basicCredentials(this.#proxy));
    // The cache in the vehicle speaks plain HTTP, has no CONNECT, and goes on with https itself where it has to.
    return { origin: this.#proxy.origin, path: `http://${url.host}${path}`, headers };
  }
}

/** Where a redirect leads. Errors: NetError `redirect_refused`, `protocol`. */
export function redirectTarget(from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new NetError('protocol', from, 'redirect without a usable Location');
  }
  const target = new URL(location, from.href);
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    throw new NetError('redirect_refused', from, 'redirect to neither http nor https');
  }
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw new NetError('redirect_refused', from, 'redirect from https to http');
  }
  return target;
}

/** Values are sent as they were given: they are opaque, and signatures break by any change. */
function cookieHeader(cookies: ReadonlyMap<string, string>): string {
  for (const [name, value] of cookies) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || !/^[\x20-\x3a\x3c-\x7e]*$/.test(value)) {
      throw new NetError('bad_url', undefined, 'a cookie has characters that a header cannot carry');
    }
  }
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}

function basicCredentials(url: URL): string {
  try {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return `Basic ${Buffer.from(credentials).toString('base64')}`;
  } catch {
    throw new NetError('bad_url', url, 'user or password of the URL is not percent-encoded UTF-8');
  }
}

/** Directives of the cache in existing vehicles: comma-separated, no spaces. */
function cacheControl(request: WireRequest): string {
  const directives: string[] = [];
  if (request.noCache === true) directives.push('no_cache');
  if (request.retryCaching === true) directives.push('retry_caching');
  if (request.sha256 !== undefined) {
    directives.push(`file_sha256=${request.sha256}`);
    if (request.compressed === true) directives.push('file_compression_alg=zst');
  }
  return directives.join(',');
}

/** The answer leads elsewhere. Never leaves this folder. */
export class Redirected extends Error {
  override readonly name = 'Redirected';
  readonly target: URL;

  constructor(target: URL) {
    super('redirected');
    this.target = target;
  }
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}
