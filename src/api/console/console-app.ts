import type { TLSSocket } from 'node:tls';
import type { Log } from '#domain/log.ts';
import type { Access, Credentials } from './access.ts';
import type { ConsoleHandler, ConsoleRequest, ConsoleResponse } from './exchange.ts';
import { authorityOf, pathOf, sendText } from './exchange.ts';
import { judgeOrigin, type OriginRules, preflightHeaders } from './origins.ts';
import type { RpcRoutes } from './rpc-routes.ts';

/** A page of another folder: the dashboard. Answers everything that is neither an RPC nor a path of ours. */
export type PageHandler = (request: ConsoleRequest, response: ConsoleResponse) => void;

/** A path of ours beside RPCs, such as `/healthz`. */
export type PlainRoute = (
  request: ConsoleRequest,
  response: ConsoleResponse,
  credentials: Credentials,
) => void | Promise<void>;

export interface ConsoleAppParts {
  readonly access: Access;
  readonly rules: OriginRules;
  readonly rpc: RpcRoutes;
  readonly plain: ReadonlyMap<string, PlainRoute>;
  readonly page: PageHandler | undefined;
  readonly log: Log;
}

/** What every answer says to browsers. */
const safetyHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;

/** `/package.Service/Method`: a page there would mislead clients of RPCs, which expect a status. */
const looksLikeRpc = /^\/(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\/\w+$/;

/** One door for everything that people ask over HTTP. */
export function consoleApp(parts: ConsoleAppParts): ConsoleHandler {
  const { access, rules, rpc, plain, page, log } = parts;
  const answer = async (request: ConsoleRequest, response: ConsoleResponse): Promise<void> => {
    for (const [name, value] of Object.entries(safetyHeaders)) response.setHeader(name, value);
    const verdict = judgeOrigin({ authority: authorityOf(request), origin: request.headers.origin }, rules);
    if (!verdict.ok) return sendText(response, 403, `${verdict.why}\n`);
    for (const [name, value] of Object.entries(verdict.headers)) response.setHeader(name, value);
    const path = pathOf(request);
    if (request.method === 'OPTIONS') return sendText(response, 204, '', preflightHeaders);
    const route = plain.get(path);
    if (route !== undefined) {
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return sendText(response, 405, 'only GET is answered here\n', { allow: 'GET, HEAD' });
      return route(request, response, credentialsOf(request));
    }
    if (rpc.has(path)) return rpc.serve(request, response, await access.admit(credentialsOf(request)));
    if (looksLikeRpc.test(path) || page === undefined)
      return sendText(response, 404, 'there is nothing here\n');
    page(request, response);
  };
  return (request, response) => {
    response.on('error', () => {});
    answer(request, response).catch((error: unknown) => {
      log.error({ err: error, path: pathOf(request) }, 'a request to the console failed unexpectedly');
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'unexpected failure; the log of this ECU has the cause\n');
    });
  };
}

function credentialsOf(request: ConsoleRequest): Credentials {
  const socket = 'stream' in request ? request.stream.session?.socket : request.socket;
  const certificate = (socket as TLSSocket | undefined)?.authorized
    ? (socket as TLSSocket).getPeerCertificate()
    : undefined;
  return {
    address: socket?.remoteAddress ?? 'unknown',
    authorization: request.headers.authorization,
    certificate: certificate?.subject === undefined ? undefined : certificate,
  };
}
