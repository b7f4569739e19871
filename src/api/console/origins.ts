import { isIP } from 'node:net';

/** Headers that the protocols of Connect and gRPC-Web send and read, and ours. */
const sentHeaders = [
  'authorization',
  'content-type',
  'connect-protocol-version',
  'connect-timeout-ms',
  'connect-content-encoding',
  'connect-accept-encoding',
  'content-encoding',
  'accept-encoding',
  'grpc-timeout',
  'x-grpc-web',
  'x-user-agent',
].join(', ');
const readHeaders =
  'grpc-status, grpc-message, grpc-status-details-bin, content-encoding, connect-content-encoding';

/** A browser asks again after so many seconds. */
const preflightAge = '7200';

export interface OriginRules {
  /** Of other pages that may call. */
  readonly origins: readonly string[];
  /** Host names, beside the usual ones, by which a listener on loopback may be called. */
  readonly hosts: readonly string[];
  readonly listensOnLoopback: boolean;
}

/** What a browser says about where a request comes from and goes to. */
export interface Asked {
  /** `host:port`, of the header `host` or the pseudo header `:authority`. */
  readonly authority: string | undefined;
  readonly origin: string | undefined;
}

export type OriginVerdict =
  | { readonly ok: true; readonly headers: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly why: string };

/**
 * Whether a request may come from where a browser says, and the headers that tell the browser so. A page whose name was
 * made to point at this machine (DNS rebinding) betrays itself by the host that it asks for.
 */
export function judgeOrigin({ authority, origin }: Asked, rules: OriginRules): OriginVerdict {
  const host = URL.parse(`http://${authority ?? ''}`)?.hostname ?? '';
  if (rules.listensOnLoopback && !isLoopbackName(host) && !rules.hosts.includes(host)) {
    return { ok: false, why: 'this host name is not served here: name it in the option console.hosts' };
  }
  if (origin === undefined) return { ok: true, headers: {} };
  if (rules.origins.includes(origin)) {
    return {
      ok: true,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': readHeaders,
        vary: 'origin',
      },
    };
  }
  if (URL.parse(origin)?.host === authority?.toLowerCase()) return { ok: true, headers: { vary: 'origin' } };
  return { ok: false, why: 'pages of this origin may not call: name it in the option console.origins' };
}

/** What the answer to a preflight request says beside that. */
export const preflightHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': sentHeaders,
  'access-control-max-age': preflightAge,
};

function isLoopbackName(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const bare = host.replace(/^\[|\]$/g, '');
  return (isIP(bare) === 4 && bare.startsWith('127.')) || bare === '::1' || bare === '::ffff:7f00:1';
}
