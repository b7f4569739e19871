import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request of HTTP/1.1 or HTTP/2. */
export type ConsoleRequest = IncomingMessage | Http2ServerRequest;
export type ConsoleResponse = ServerResponse | Http2ServerResponse;

/** Answers one request. Never throws and never rejects. */
export type ConsoleHandler = (request: ConsoleRequest, response: ConsoleResponse) => void;

/** `host:port` as the client wrote it. */
export function authorityOf(request: ConsoleRequest): string | undefined {
  return 'authority' in request && request.authority !== '' ? request.authority : request.headers.host;
}

/** The path without its query. */
export function pathOf(request: ConsoleRequest): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** Ends a request with a short text. */
export function sendText(
  response: ConsoleResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const all = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers };
  // Both kinds take the same, but their types have no common overload.
  if ('stream' in response) response.writeHead(status, all);
  else response.writeHead(status, all);
  response.end(text);
}
