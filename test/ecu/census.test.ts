import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusStore } from '#ecu/status-store.ts';
import { ecuStatus } from '../support/ecu-status.ts';
import { MemoryLog } from '../support/memory-log.ts';

function vehicle() {
  const clock = { now: 0 };
  const store = new StatusStore({
    ownId: 'main',
    childIds: ['c1', 'c2'],
    availableEcuIds: ['main', 'c1', 'spare'],
    log: new MemoryLog(),
    now: () => clock.now,
  });
  const rows = () =>
    store.census().map(({ ecuId, parentEcuId, reachability }) => [ecuId, parentEcuId, reachability]);
  return { clock, store, rows };
}

describe('the census of a vehicle', () => {
  it('holds what configuration names although nobody has heard of it', () => {
    assert.deepEqual(vehicle().rows(), [
      ['main', undefined, 'reachable'],
      ['c1', 'main', 'never_seen'],
      ['c2', 'main', 'never_seen'],
      ['spare', undefined, 'never_seen'],
    ]);
  });

  it('puts every ECU below the one that it names, or else below the child that reports it', () => {
    const { store, rows } = vehicle();
    const deep = ecuStatus('deep', { parentEcuId: 'mid' });
    store.take('c1', { ecus: [deep, ecuStatus('mid'), ecuStatus('c1', { parentEcuId: 'liar' })] }, 0);
    assert.deepEqual(rows().slice(0, 4), [
      ['main', undefined, 'reachable'],
      ['c1', 'main', 'reachable'],
      ['mid', 'c1', 'reachable'],
      ['deep', 'mid', 'reachable'],
    ]);
  });

  it('keeps who fell silent, with the last that was known and when', () => {
    const { clock, store, rows } = vehicle();
    const before = Date.now();
    store.take('c1', { ecus: [ecuStatus('c1'), ecuStatus('leaf')] }, 0);
    store.miss('c1');
    assert.deepEqual(rows()[1], ['c1', 'main', 'reachable'], 'one lost answer is no silence');
    clock.now = 4000;
    store.miss('c1');
    assert.deepEqual(rows().slice(1, 3), [
      ['c1', 'main', 'silent'],
      ['leaf', 'c1', 'silent'],
    ]);
    const leaf = store.census().find(({ ecuId }) => ecuId === 'leaf');
    assert.equal(leaf?.status?.firmwareVersion, '1.0');
    assert.ok(Number(leaf?.seenTime) >= before && Number(leaf?.seenTime) <= Date.now());
  });

  it('shows an ECU that its parent does not report any more as silent', () => {
    const { store, rows } = vehicle();
    store.take('c1', { ecus: [ecuStatus('c1'), ecuStatus('leaf')] }, 0);
    store.take('c1', { ecus: [ecuStatus('c1')] }, 1);
    assert.deepEqual(rows()[2], ['leaf', 'c1', 'silent']);
  });

  it('shows ECUs that claim to be below each other, each once', () => {
    const { store, rows } = vehicle();
    const round = [ecuStatus('x', { parentEcuId: 'y' }), ecuStatus('y', { parentEcuId: 'x' })];
    store.take('c1', { ecus: [ecuStatus('c1'), ...round] }, 0);
    assert.deepEqual(
      rows()
        .map(([id]) => id)
        .filter((id) => id === 'x' || id === 'y'),
      ['x', 'y'],
    );
  });
});
