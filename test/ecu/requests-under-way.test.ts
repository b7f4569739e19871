import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestsUnderWay } from '#ecu/requests-under-way.ts';

const signal = new AbortController().signal;

function pending() {
  const requests = new RequestsUnderWay();
  const request = Promise.withResolvers<string>();
  const tracked = requests.track(request.promise);
  let over = false;
  const wait = (limitMs: number, until = signal) =>
    requests.answered({ limitMs, signal: until }).then(() => {
      over = true;
    });
  return { requests, request, tracked, wait, isOver: () => over };
}

describe('waiting for requests under way', () => {
  it('ends at once when there are none', async () => {
    await new RequestsUnderWay().answered({ limitMs: 60_000, signal });
  });

  it('ends when the last one is answered, and gives the answer on', async () => {
    const { request, tracked, wait, isOver } = pending();
    const waited = wait(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOver(), false);
    request.resolve('answer');
    await waited;
    assert.equal(await tracked, 'answer');
  });

  it('ends also when it fails, which stays the business of its caller', async () => {
    const { requests, request, tracked, wait } = pending();
    const waited = wait(60_000);
    request.reject(new Error('no answer'));
    await waited;
    await assert.rejects(tracked, { message: 'no answer' });
    await requests.answered({ limitMs: 60_000, signal });
  });

  it('ends at its limit', async () => {
    await pending().wait(10);
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    const waited = pending().wait(60_000, controller.signal);
    controller.abort();
    await waited;
  });
});
