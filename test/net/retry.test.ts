import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultTuning } from '#net/http-tuning.ts';
import { NetError } from '#net/net-error.ts';
import { AttemptError, parseRetryAfter, RetryPolicy, statusFailure } from '#net/retry.ts';
import { WireServer } from '../support/wire-server.ts';
import { CountingMeter, collect, never, quickSource } from '../support/wire-source.ts';

const url = new URL('http://user:secret@image.example/a/b?token=secret');

function policy(random: () => number, attempts = 100): RetryPolicy {
  const tuning = {
    ...defaultTuning,
    attempts,
    backoffBaseMs: 100,
    backoffMaxMs: 1000,
    retryAfterMaxMs: 5000,
  };
  return new RetryPolicy(url, tuning, random);
}

describe('the wait before a retry', () => {
  it('is anything up to a limit that doubles until it reaches its maximum', () => {
    const longest = policy(() => 1);
    const waits = Array.from({ length: 6 }, () => longest.waitAfter(new Error('cut'), 0));
    assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000]);
    assert.equal(policy(() => 0).waitAfter(new Error('cut'), 0), 0);
    assert.equal(policy(() => 0.25).waitAfter(new Error('cut'), 0), 25);
  });

  it('is at least what the server asks for, within reason', () => {
    const none = policy(() => 0);
    assert.equal(none.waitAfter(new AttemptError('busy', { retryAfterMs: 3000 }), 0), 3000);
    assert.equal(none.waitAfter(new AttemptError('busy', { retryAfterMs: 3_600_000 }), 0), 5000);
  });

  it('starts anew after an attempt that brought a good piece', () => {
    const longest = policy(() => 1, 3);
    for (let broken = 0; broken < 10; broken++) {
      assert.equal(longest.waitAfter(new Error('cut'), 1024 * 1024), 100);
    }
    longest.waitAfter(new Error('cut'), 10);
    assert.throws(() => longest.waitAfter(new Error('cut'), 10), { code: 'attempts_exhausted' });
  });
});

describe('the end of retries', () => {
  it('names the last failure and shows no secrets of the URL', () => {
    const cause = new AttemptError('the server answers 503', { status: 503 });
    const once = policy(() => 0, 1);
    assert.throws(
      () => once.waitAfter(cause, 0),
      (error) => {
        assert.ok(error instanceof NetError);
        assert.deepEqual([error.code, error.status, error.cause], ['attempts_exhausted', 503, cause]);
        assert.equal(error.url, 'http://image.example/a/b');
        assert.doesNotMatch(`${JSON.stringify(error)}${error.stack}`, /secret/);
        return true;
      },
    );
  });

  it('comes early for a body whose length contradicts the image', () => {
    const patient = policy(() => 0);
    const wrong = new AttemptError('longer', { wrongLength: true });
    patient.waitAfter(wrong, 0);
    patient.waitAfter(wrong, 0);
    assert.throws(() => patient.waitAfter(wrong, 0), { code: 'protocol' });
  });
});

describe('a status', () => {
  it('is final with its own code, or retried', () => {
    const final = {
      401: 'unauthorized',
      403: 'forbidden',
      404: 'not_found',
      410: 'not_found',
      400: 'protocol',
    };
    for (const [status, code] of Object.entries(final)) {
      const error = statusFailure(url, Number(status), undefined);
      assert.ok(error instanceof NetError);
      assert.deepEqual([error.code, error.status], [code, Number(status)]);
    }
    for (const status of [408, 425, 429, 500, 502, 503, 504, 599]) {
      assert.ok(statusFailure(url, status, undefined) instanceof AttemptError, String(status));
    }
  });

  it('413 is retried exactly when it says when to come back', () => {
    assert.ok(statusFailure(url, 413, '2') instanceof AttemptError);
    assert.ok(statusFailure(url, 413, undefined) instanceof NetError);
  });
});

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
    assert.equal(parseRetryAfter('120', now), 120_000);
    assert.equal(parseRetryAfter('Wed, 21 Oct 2026 07:28:30 GMT', now), 30_000);
    assert.equal(parseRetryAfter('Wed, 21 Oct 2026 07:00:00 GMT', now), 0);
    assert.equal(parseRetryAfter('soon', now), 0);
  });
});

describe('a source', () => {
  it('gets a body from a server that fails at first, and counts the failures', async () => {
    let failures = 3;
    await using server = await WireServer.start((_request, response) => {
      if (failures-- > 0) response.writeHead(500).end('no');
      else response.end('yes');
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const body = await source.readAll({ url: server.url('a'), maxBytes: 100 }, meter, never);
    assert.equal(body.toString(), 'yes');
    assert.equal(meter.failures.length, 3);
    assert.equal(server.connections, 1, 'an error does not cost the connection');
  });

  it('gives up after the given number of attempts', async () => {
    await using server = await WireServer.start((_request, response) => void response.writeHead(503).end());
    await using source = quickSource(server.origin, { attempts: 3 });
    const meter = new CountingMeter();
    const reading = collect(source.read({ url: server.url('a'), maxBytes: 100 }, meter, never));
    await assert.rejects(reading, { code: 'attempts_exhausted', status: 503 });
    assert.deepEqual([meter.failures.length, server.seen.length], [3, 3]);
  });

  it('asks once and no more where the answer is final', async () => {
    await using server = await WireServer.start((request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end('why'.repeat(1000));
    });
    await using source = quickSource(server.origin);
    const finals = [
      [401, 'unauthorized'],
      [403, 'forbidden'],
      [404, 'not_found'],
    ] as const;
    for (const [status, code] of finals) {
      const meter = new CountingMeter();
      const reading = source.readAll({ url: server.url(`${status}`), maxBytes: 100 }, meter, never);
      await assert.rejects(reading, { code, status });
      assert.equal(meter.failures.length, 1);
    }
    assert.equal(server.seen.length, 3);
  });

  it('tries again when nobody listens', async () => {
    const gone = await WireServer.start(() => {});
    await gone[Symbol.asyncDispose]();
    await using source = quickSource(gone.origin, { attempts: 3 });
    const meter = new CountingMeter();
    const reading = source.readAll({ url: gone.url('a'), maxBytes: 100 }, meter, never);
    await assert.rejects(reading, { code: 'attempts_exhausted' });
    assert.equal(meter.failures.length, 3);
  });
});
