import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { awaitChildren } from '#ecu/await-children.ts';
import { StatusStore } from '#ecu/status-store.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';
import { MemoryEcu } from '../support/memory-ecu.ts';
import { MemoryLog } from '../support/memory-log.ts';

const signal = new AbortController().signal;
const progress = updateProgress();

function world() {
  const log = new MemoryLog();
  const store = new StatusStore({ ownId: 'main', childIds: ['c1'], availableEcuIds: ['main'], log });
  store.follow(new MemoryEcu('main', ecuStatus('main', { progress })));
  const take = (...ecus: ReturnType<typeof ecuStatus>[]) => store.take('c1', { ecus }, performance.now());
  return { store, log, take };
}

describe('waiting for children before a reboot', () => {
  it('is over at once when only this ECU is in update', async () => {
    const { store, log } = world();
    assert.equal(await awaitChildren(store, log, { signal, limitMs: 60_000 }), 'done');
  });

  it('goes on through a reboot of the child, until it and all below it are done', async () => {
    const { store, log, take } = world();
    take(ecuStatus('c1', { progress }), ecuStatus('g1', { progress }));
    let end: string | undefined;
    const wait = awaitChildren(store, log, { signal, limitMs: 60_000 }).then((how) => {
      end = how;
    });
    store.miss('c1');
    store.miss('c1');
    take(ecuStatus('c1', { status: 'FAILURE' }));
    await Promise.resolve();
    assert.equal(end, undefined, 'g1 said last that it updates');
    const done = performance.now();
    take(ecuStatus('c1', { status: 'FAILURE' }), ecuStatus('g1'));
    await wait;
    assert.equal(end, 'done');
    assert.ok(performance.now() - done < 500, 'it is told, and does not only look from time to time');
  });

  it('ends at its limit, and says for whom it has waited', async () => {
    const { store, log, take } = world();
    take(ecuStatus('c1', { progress }));
    assert.equal(await awaitChildren(store, log, { signal, limitMs: 20 }), 'limit');
    assert.match(log.lines.at(-1) ?? '', /warn not waiting any longer.*c1/);
  });

  it('ends with its signal', async () => {
    const { store, log, take } = world();
    take(ecuStatus('c1', { progress }));
    const controller = new AbortController();
    const wait = awaitChildren(store, log, { signal: controller.signal, limitMs: 60_000 });
    controller.abort(new Error('stop'));
    await assert.rejects(wait, { message: 'stop' });
  });
});
