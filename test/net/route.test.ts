import assert from 'node:assert/strict';
import { request as forward } from 'node:http';
import { describe, it } from 'node:test';
import { redirectTarget } from '#net/route.ts';
import { WireServer } from '../support/wire-server.ts';
import { CountingMeter, never, quickSource } from '../support/wire-source.ts';

const cookies = new Map([
  ['CloudFront-Policy', 'eyJ_secret-~__'],
  ['CloudFront-Key-Pair-Id', 'K2secret=='],
]);
const cookie = 'CloudFront-Policy=eyJ_secret-~__; CloudFront-Key-Pair-Id=K2secret==';
const meter = new CountingMeter();

describe('cookies', () => {
  it('go with every request to the origin of the image', async () => {
    await using server = await WireServer.start((_request, response) => void response.end());
    await using source = quickSource(server.url('base/'), { cookies });
    await source.readAll({ url: server.url('elsewhere/a'), maxBytes: 10 }, meter, never);
    assert.equal(server.seen[0]?.headers.cookie, cookie);
  });

  it('go nowhere else: not to another host or port, neither directly nor by a redirect', async () => {
    await using other = await WireServer.start((_request, response) => void response.end('there'));
    await using server = await WireServer.start((_request, response) => {
      response.writeHead(302, { location: other.url('target?signature=x').href }).end();
    });
    await using source = quickSource(server.origin, { cookies });
    const body = await source.readAll({ url: server.url('a'), maxBytes: 10 }, meter, never);
    assert.equal(body.toString(), 'there');
    await source.readAll({ url: other.url('direct'), maxBytes: 10 }, meter, never);
    const localhost = new URL(other.url('host'));
    localhost.hostname = 'localhost';
    await source.readAll({ url: localhost, maxBytes: 10 }, meter, never).catch(() => {});
    assert.equal(server.seen[0]?.headers.cookie, cookie);
    assert.ok(other.seen.length >= 2);
    for (const { headers } of other.seen) assert.equal(headers.cookie, undefined);
  });

  it('follow a redirect within the origin, and back to it', async () => {
    await using other = await WireServer.start((_request, response) => {
      response.writeHead(307, { location: server.url('home').href }).end();
    });
    await using server: WireServer = await WireServer.start((request, response) => {
      const next = { '/a': '/b', '/b': other.url('x').href }[request.url ?? ''];
      if (next === undefined) response.end('home');
      else response.writeHead(301, { location: next }).end();
    });
    await using source = quickSource(server.origin, { cookies });
    const body = await source.readAll({ url: server.url('a'), maxBytes: 10 }, meter, never);
    assert.equal(body.toString(), 'home');
    assert.deepEqual(
      server.seen.map(({ headers }) => headers.cookie),
      [cookie, cookie, cookie],
    );
    assert.equal(other.seen[0]?.headers.cookie, undefined);
  });

  it('are in no error', async () => {
    await using server = await WireServer.start((_request, response) => void response.writeHead(403).end());
    await using source = quickSource(server.origin, { cookies });
    const failure = await source
      .readAll({ url: server.url('a?k=secret'), maxBytes: 10 }, meter, never)
      .catch((error: unknown) => error);
    assert.ok(failure instanceof Error);
    assert.doesNotMatch(`${failure.stack}${JSON.stringify(failure)}`, /secret/);
    assert.throws(
      () => quickSource(server.origin, { cookies: new Map([['a', 'secret\r\nX-Evil: 1']]) }),
      (error: Error) => !error.message.includes('secret'),
    );
  });
});

describe('redirects', () => {
  it('are followed five times, not more', async () => {
    await using server = await WireServer.start((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end('end');
      else response.writeHead(308, { location: `/${left - 1}` }).end();
    });
    await using source = quickSource(server.origin);
    const body = await source.readAll({ url: server.url('5'), maxBytes: 10 }, meter, never);
    assert.equal(body.toString(), 'end');
    const sixth = source.readAll({ url: server.url('6'), maxBytes: 10 }, meter, never);
    await assert.rejects(sixth, { code: 'redirect_refused' });
  });

  it('do not lead from https to http, nor out of the web', () => {
    const from = new URL('https://image.example/a/b');
    assert.equal(redirectTarget(from, '../c').href, 'https://image.example/c');
    assert.equal(redirectTarget(from, 'https://cdn.example/x').href, 'https://cdn.example/x');
    assert.equal(redirectTarget(new URL('http://a.example/'), 'https://b.example/').protocol, 'https:');
    const refused = { code: 'redirect_refused' };
    assert.throws(() => redirectTarget(from, 'http://image.example/a/b'), refused);
    assert.throws(() => redirectTarget(from, 'file:///etc/shadow'), refused);
    assert.throws(() => redirectTarget(from, undefined), { code: 'protocol' });
    assert.throws(() => redirectTarget(from, 'http://['), { code: 'protocol' });
  });
});

describe('the http proxy', () => {
  /** As the cache of existing vehicles: GET in absolute form, no ranges, no CONNECT. */
  function startProxy(): Promise<WireServer> {
    return WireServer.start((request, response) => {
      const { cookie: sent } = request.headers;
      const headers = sent === undefined ? {} : { cookie: sent };
      forward(request.url ?? '', { headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502);
        answer.pipe(response);
      }).end();
    });
  }

  it('is asked in absolute form, and gets the digest and the cookies', async () => {
    await using server = await WireServer.start((_request, response) => void response.end('body'));
    await using proxy = await startProxy();
    await using source = quickSource(server.origin, { cookies, proxy: proxy.origin });
    const sha256 = 'ab'.repeat(32);
    const url = server.url('data/it%27s%2C?q=1');
    const plain = await source.readAll({ url, maxBytes: 10, sha256 }, meter, never);
    assert.equal(plain.toString(), 'body');
    await source.readAll({ url, maxBytes: 10, sha256, compressed: true, retryCaching: true }, meter, never);
    await source.readAll({ url, maxBytes: 10, noCache: true }, meter, never);
    await source.readAll({ url, maxBytes: 10 }, meter, never);

    assert.deepEqual(new Set(proxy.seen.map(({ url: asked }) => asked)), new Set([url.href]));
    assert.equal(proxy.seen[0]?.headers.host, server.origin.host);
    assert.deepEqual(
      proxy.seen.map(({ headers }) => headers['ota-file-cache-control']),
      [
        `file_sha256=${sha256}`,
        `retry_caching,file_sha256=${sha256},file_compression_alg=zst`,
        'no_cache',
        undefined,
      ],
    );
    assert.equal(server.seen[0]?.headers.cookie, cookie);
  });

  it('is asked for http where the image is https: it does the rest itself', async () => {
    await using proxy = await WireServer.start((_request, response) => void response.end('cached'));
    const url = new URL('https://image.example:8443/a');
    await using source = quickSource(url, { cookies, proxy: proxy.origin });
    const body = await source.readAll({ url, maxBytes: 10 }, meter, never);
    assert.equal(body.toString(), 'cached');
    assert.equal(proxy.seen[0]?.url, 'http://image.example:8443/a');
    assert.equal(proxy.seen[0]?.headers.cookie, cookie);
  });

  it('is told to fetch anew after it gave a body of the wrong length', async () => {
    await using proxy = await WireServer.start((request, response) => {
      const anew = String(request.headers['ota-file-cache-control']).startsWith('retry_caching');
      response.end(anew ? 'whole body' : 'torn');
    });
    const url = new URL('http://image.example/a');
    await using source = quickSource(url, { proxy: proxy.origin });
    const request = { url, maxBytes: 100, expectedBytes: 10, sha256: 'ab'.repeat(32) };
    assert.equal((await source.readAll(request, meter, never)).toString(), 'whole body');
  });

  it('hears nothing of caching directives unless it is one', async () => {
    await using server = await WireServer.start((_request, response) => void response.end());
    await using source = quickSource(server.origin);
    const request = { url: server.url('a'), maxBytes: 10, sha256: 'ab'.repeat(32), noCache: true };
    await source.readAll(request, meter, never);
    assert.equal(server.seen[0]?.headers['ota-file-cache-control'], undefined);
    assert.equal(server.seen[0]?.headers['user-agent'], 'ota-client/1.2.3');
  });

  it('must be an http URL', () => {
    const origin = new URL('http://image.example/');
    const wrong = (): unknown => quickSource(origin, { proxy: new URL('socks5://proxy.example/') });
    assert.throws(wrong, { code: 'bad_url' });
  });
});

it('user and password of a URL go to its host as Basic credentials, and not along a redirect', async () => {
  await using other = await WireServer.start((_request, response) => void response.end());
  await using server = await WireServer.start((_request, response) => {
    response.writeHead(302, { location: other.url('b').href }).end();
  });
  const url = server.url('a');
  url.username = 'me';
  url.password = 'p w';
  await using source = quickSource(server.origin);
  await source.readAll({ url, maxBytes: 10 }, meter, never);
  const expected = `Basic ${Buffer.from('me:p w').toString('base64')}`;
  assert.equal(server.seen[0]?.headers.authorization, expected);
  assert.equal(other.seen[0]?.headers.authorization, undefined);
});
