import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { extname } from 'node:path';
import { PageFiles } from './page-files.ts';

type PageRequest = IncomingMessage | Http2ServerRequest;
type PageResponse = ServerResponse | Http2ServerResponse;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
};

/** Nothing from elsewhere, nothing inline, in nobody's frame; scripts make no markup from text. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const always: Readonly<Record<string, string>> = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** Vite names these after their content: what has such a name never changes. */
const isNamedByContent = (name: string): boolean => name.startsWith('assets/');

const missing = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The dashboard is not built</title></head>
<body><h1>The dashboard is not built</h1>
<p>This daemon runs, and its console API answers, but there is no page to show: run <code>npm run dashboard</code> in the
sources and load this address again. Packages of <code>npm run package</code> hold the page.</p></body></html>
`;

/**
 * Serves the built page of `directory`: GET and HEAD, compressed where the browser takes it, with validators. The page
 * itself is open to everybody; it holds nothing of the vehicle, and gets nothing without a role.
 */
export function pageRoute(directory: string): (request: PageRequest, response: PageResponse) => void {
  const files = new PageFiles(directory);
  return (request, response) => {
    answer(files, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain; charset=utf-8', 'the page could not be read\n');
    });
  };
}

async function answer(files: PageFiles, request: PageRequest, response: PageResponse): Promise<void> {
  const isHead = request.method === 'HEAD';
  if (request.method !== 'GET' && !isHead) {
    return send(response, 405, 'text/plain; charset=utf-8', 'only GET is answered here\n', {
      allow: 'GET, HEAD',
    });
  }
  const path = (request.url ?? '').split(/[?#]/, 1)[0] ?? '';
  const name = path === '/' ? 'index.html' : path.slice(1);
  const accepted = request.headers['accept-encoding'] ?? '';
  const file = await files.find(name, accepted);
  if (file === undefined) {
    if (name === 'index.html') return send(response, 503, types['.html'] ?? '', missing, {}, isHead);
    return send(response, 404, 'text/plain; charset=utf-8', 'there is nothing here\n', {}, isHead);
  }
  const headers = {
    etag: file.etag,
    vary: 'accept-encoding',
    'cache-control': isNamedByContent(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(file.encoding === 'identity' ? {} : { 'content-encoding': file.encoding }),
  };
  const type = types[extname(name)] ?? 'application/octet-stream';
  if (isKnown(request.headers['if-none-match'], file.etag))
    return send(response, 304, type, '', headers, true);
  send(response, 200, type, file.body, headers, isHead);
}

/** RFC 9110, 13.1.2: any of the list, by weak comparison. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return known.includes(etag) || known.includes('*');
}

function send(
  response: PageResponse,
  status: number,
  type: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
  withoutBody = false,
): void {
  const all: Record<string, string | number> = { ...always, 'cache-control': 'no-store', ...headers };
  if (status !== 304) {
    all['content-type'] = type;
    all['content-length'] = Buffer.byteLength(body);
  }
  // Both kinds take the same, but their types have no common overload.
  if ('stream' in response) response.writeHead(status, all);
  else response.writeHead(status, all);
  response.end(withoutBody ? '' : body);
}
