import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { brotliCompressSync, brotliDecompressSync, gzipSync } from 'node:zlib';
import { pageRoute } from '#dashboard/page-route.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Serves a directory; asks it with paths as they are, which `fetch` would tidy up. */
async function served(t: TestContext, files: Readonly<Record<string, string | Buffer>>) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'page/assets'), { recursive: true });
  await writeFile(join(directory, 'secret'), 'of the vehicle');
  for (const [name, content] of Object.entries(files))
    await writeFile(join(directory, 'page', name), content);
  const server = createServer(pageRoute(join(directory, 'page')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', path, method, headers }, (response) => {
        const { statusCode: status = 0, headers: told } = response;
        buffer(response).then((body) => resolve({ status, headers: told, body }), reject);
      });
      asked.on('error', reject);
      asked.end();
    });
}

const page = '<!doctype html><title>page</title>';
const built = {
  'index.html': page,
  'index.html.br': brotliCompressSync(page),
  'index.html.gz': gzipSync(page),
  'assets/index-abc123.js': 'export {};',
};

describe('the page', () => {
  it('is sent in the best encoding that the browser takes', async (t) => {
    const ask = await served(t, built);
    const brotli = await ask('/', { 'accept-encoding': 'gzip, deflate, br' });
    assert.equal(brotli.headers['content-encoding'], 'br');
    assert.equal(brotliDecompressSync(brotli.body).toString(), page);
    assert.equal((await ask('/', { 'accept-encoding': 'gzip' })).headers['content-encoding'], 'gzip');
    assert.equal((await ask('/', { 'accept-encoding': 'br;q=0' })).headers['content-encoding'], undefined);
    const plain = await ask('/');
    assert.equal(plain.body.toString(), page);
    assert.match(String(plain.headers['content-type']), /^text\/html/);
    assert.equal(plain.headers['vary'], 'accept-encoding');
  });

  it('lets browsers keep what is named by its content, and ask again for the rest', async (t) => {
    const ask = await served(t, built);
    const asset = await ask('/assets/index-abc123.js');
    assert.match(String(asset.headers['cache-control']), /immutable/);
    const first = await ask('/', { 'accept-encoding': 'br' });
    assert.equal(first.headers['cache-control'], 'no-cache');
    const etag = String(first.headers['etag']);
    const again = await ask('/', { 'accept-encoding': 'br', 'if-none-match': `"other", W/${etag}` });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
    // Another encoding is another representation.
    assert.equal((await ask('/', { 'accept-encoding': 'gzip', 'if-none-match': etag })).status, 200);
  });

  it('allows nothing from elsewhere, nothing inline and no frame', async (t) => {
    const ask = await served(t, built);
    for (const path of ['/', '/assets/index-abc123.js', '/nothing']) {
      const { headers } = await ask(path);
      const policy = String(headers['content-security-policy']);
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*|data:|https?:/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
    }
  });

  it('reaches nothing outside its directory and nothing that is no file', async (t) => {
    const ask = await served(t, built);
    const paths = [
      '/../secret',
      '/%2e%2e/secret',
      '/assets/../../secret',
      '//secret',
      '/assets',
      '/assets/',
      '/.',
      '/..',
    ];
    for (const path of [...paths, '/index.html.br', '/a%00b', '/%']) {
      const { status, body } = await ask(path);
      assert.equal(status, 404, path);
      assert.doesNotMatch(body.toString(), /vehicle/);
    }
  });

  it('answers HEAD without a body and refuses what would change something', async (t) => {
    const ask = await served(t, built);
    const head = await ask('/', {}, 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], String(page.length));
    assert.equal(head.body.length, 0);
    const post = await ask('/', {}, 'POST');
    assert.equal(post.status, 405);
    assert.equal(post.headers['allow'], 'GET, HEAD');
  });

  it('says what to do when it is not built', async (t) => {
    const ask = await served(t, {});
    const { status, body } = await ask('/');
    assert.equal(status, 503);
    assert.match(body.toString(), /npm run dashboard/);
  });

  it('is the new one when it is built again while the daemon runs', async (t) => {
    const directory = await scratchDirectory(t);
    await writeFile(join(directory, 'index.html'), 'old');
    const server = createServer(pageRoute(directory));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    assert.equal(await (await fetch(url)).text(), 'old');
    await writeFile(join(directory, 'index.html'), 'newer');
    assert.equal(await (await fetch(url)).text(), 'newer');
  });
});
