import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ChildEcuError } from '#ecu/child-ecu-error.ts';
import type { CallContext, ChildEcu, ChildReport } from '#ecu/ecu.ts';
import { pollChildren } from '#ecu/status-poller.ts';
import { StatusStore } from '#ecu/status-store.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** A child of which only Status is asked. */
class Polled implements ChildEcu {
  readonly id: string;
  readonly polls: number[] = [];
  answer: (call: CallContext) => Promise<ChildReport>;
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  constructor(id: string) {
    this.id = id;
    this.answer = () => Promise.resolve({ ecus: [ecuStatus(id)] });
  }

  status(call: CallContext): Promise<ChildReport> {
    this.polls.push(performance.now());
    for (const { count, resolve } of this.#waiting) if (this.polls.length >= count) resolve();
    return this.answer(call);
  }

  polled(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ count, resolve });
    if (this.polls.length >= count) resolve();
    return promise;
  }

  readonly update = () => Promise.resolve([]);
  readonly clientUpdate = this.update;
  readonly rollback = this.update;
  readonly abort = this.update;
}

function polling(t: TestContext, children: Polled[], pace: { activeMs: number; idleMs: number }) {
  const log = new MemoryLog();
  const store = new StatusStore({
    ownId: 'main',
    childIds: children.map(({ id }) => id),
    availableEcuIds: ['main'],
    log,
  });
  const controller = new AbortController();
  const ended = pollChildren({ children, store, log, budgetMs: 1000, ...pace }, controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
  };
  t.after(stop);
  return { store, log, stop };
}

const minute = 60_000;
const mute = (id: string) => () => Promise.reject(new ChildEcuError(id, 'unavailable'));

describe('polling', () => {
  it('goes on quickly while an ECU is in update', { timeout: 5000 }, async (t) => {
    const child = new Polled('c');
    child.answer = () => Promise.resolve({ ecus: [ecuStatus('c', { progress: updateProgress() })] });
    polling(t, [child], { activeMs: 10, idleMs: minute });
    await child.polled(4);
  });

  it('rests while nothing is going on, and wakes at once for an accepted request', {
    timeout: 5000,
  }, async (t) => {
    const child = new Polled('c');
    const { store } = polling(t, [child], { activeMs: minute, idleMs: minute });
    await child.polled(1);
    store.accept(['c']);
    await child.polled(2);
  });

  it('asks again when a request was accepted during a poll', { timeout: 5000 }, async (t) => {
    const child = new Polled('c');
    const first = Promise.withResolvers<ChildReport>();
    child.answer = () => first.promise;
    const { store } = polling(t, [child], { activeMs: minute, idleMs: minute });
    await child.polled(1);
    store.accept(['c']);
    first.resolve({ ecus: [ecuStatus('c')] });
    await child.polled(2);
  });

  it('becomes quick when another ECU begins to update', { timeout: 5000 }, async (t) => {
    const [quiet, busy] = [new Polled('quiet'), new Polled('busy')];
    const later = Promise.withResolvers<ChildReport>();
    busy.answer = () => later.promise;
    polling(t, [quiet, busy], { activeMs: 10, idleMs: minute });
    await quiet.polled(1);
    later.resolve({ ecus: [ecuStatus('busy', { progress: updateProgress() })] });
    await quiet.polled(4);
  });

  it('is quick for a child that does not answer, and says once that it does not and that it does again', {
    timeout: 5000,
  }, async (t) => {
    const child = new Polled('c');
    const { store, log } = polling(t, [child], { activeMs: 10, idleMs: minute });
    child.answer = mute('c');
    await child.polled(1);
    store.accept([]);
    await child.polled(5);
    child.answer = () => Promise.resolve({ ecus: [ecuStatus('c')] });
    const before = child.polls.length;
    await child.polled(before + 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      log.lines.map((line) => line.replace(/ c.*/, '')),
      ['warn', 'info'],
      log.lines.join('\n'),
    );
  });

  it('of a child that hangs delays no other', { timeout: 5000 }, async (t) => {
    const [hanging, busy] = [new Polled('hanging'), new Polled('busy')];
    hanging.answer = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new ChildEcuError('hanging', 'other')));
      });
    busy.answer = () => Promise.resolve({ ecus: [ecuStatus('busy', { progress: updateProgress() })] });
    polling(t, [hanging, busy], { activeMs: 10, idleMs: minute });
    await busy.polled(4);
    assert.equal(hanging.polls.length, 1);
  });

  it('stops with its signal, in the middle of a pause and of a poll', { timeout: 5000 }, async (t) => {
    const child = new Polled('c');
    const { stop } = polling(t, [child], { activeMs: minute, idleMs: minute });
    await child.polled(1);
    await stop();
    assert.equal(child.polls.length, 1);
  });
});
