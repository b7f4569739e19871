import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type ImageServer, startImageServer } from '../../scripts/demo/image-server.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));

async function serve(t: TestContext): Promise<ImageServer> {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'images/a b'), { recursive: true });
  await writeFile(join(directory, 'images/a b/ünï %.bin'), content);
  await writeFile(join(directory, 'images/empty'), '');
  await writeFile(join(directory, 'secret'), 'secret');
  const server = await startImageServer({
    folders: new Map([['2.0', join(directory, 'images')]]),
    host: '127.0.0.1',
    port: 0,
  });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

const file = `2.0/${encodeURIComponent('a b')}/${encodeURIComponent('ünï %.bin')}`;

/** Asks for a path as it is: `fetch` would tidy it up. */
async function statusOf(server: ImageServer, path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request(server.url, { path }, (response) => resolve(response.resume().statusCode ?? 0))
    .on('error', reject)
    .end();
  return await promise;
}

describe('image server of the demo', () => {
  it('serves whole files and counts their bytes for each ECU', async (t) => {
    const server = await serve(t);
    const headers = { cookie: 'x=1; ecu=camera' };
    const answer = await fetch(new URL(file, server.url), { headers });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-length'), String(content.length));
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), content);
    assert.equal((await fetch(new URL('2.0/empty', server.url), { headers })).status, 200);
    assert.equal((await fetch(new URL(file, server.url), { method: 'HEAD', headers })).status, 200);
    assert.deepEqual(server.served('camera'), { answers: 1, bytes: content.length });
    assert.deepEqual(server.served('main'), { answers: 0, bytes: 0 });
  });

  it('serves parts of files', async (t) => {
    const server = await serve(t);
    const parts = [
      ['bytes=0-9', 0, 10],
      ['bytes=99990-', 99_990, 100_000],
      ['bytes=-10', 99_990, 100_000],
      ['bytes=5-200000', 5, 100_000],
    ] as const;
    for (const [range, from, to] of parts) {
      const answer = await fetch(new URL(file, server.url), { headers: { range } });
      assert.equal(answer.status, 206, range);
      assert.equal(answer.headers.get('content-range'), `bytes ${from}-${to - 1}/100000`);
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), content.subarray(from, to));
    }
    const beyond = await fetch(new URL(file, server.url), { headers: { range: 'bytes=100000-' } });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers.get('content-range'), 'bytes */100000');
  });

  it('serves a part only of the file that the client has begun with', async (t) => {
    const server = await serve(t);
    const etag = (await fetch(new URL(file, server.url), { method: 'HEAD' })).headers.get('etag') ?? '';
    const ask = async (ifRange: string): Promise<number> => {
      const headers = { range: 'bytes=10-', 'if-range': ifRange };
      const answer = await fetch(new URL(file, server.url), { headers });
      await answer.arrayBuffer();
      return answer.status;
    };
    assert.equal(await ask(etag), 206);
    assert.equal(await ask('"another"'), 200);
  });

  it('serves nothing outside of its folders', async (t) => {
    const server = await serve(t);
    for (const path of [
      '/2.0/../secret',
      '/2.0/%2e%2e/secret',
      '/secret',
      '/',
      '/2.0',
      '/2.0/%',
      '/2.0/a%00',
    ]) {
      assert.equal(await statusOf(server, path), 404, path);
    }
    assert.equal((await fetch(new URL(file, server.url), { method: 'PUT', body: '' })).status, 405);
  });
});
