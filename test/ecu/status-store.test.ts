import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EcuStatus } from '#domain/status.ts';
import { StatusStore, type StatusStoreOptions } from '#ecu/status-store.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';
import { MemoryEcu } from '../support/memory-ecu.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** A store of ECU `main` with children `c1` and `c2`, and a clock that the test moves. */
function storeOf(options: Partial<StatusStoreOptions> = {}) {
  const clock = { now: 1000 };
  const log = new MemoryLog();
  const store = new StatusStore({
    ownId: 'main',
    childIds: ['c1', 'c2'],
    availableEcuIds: ['c1', 'main', 'g1'],
    log,
    now: () => clock.now,
    ...options,
  });
  const take = (child: string, ...ecus: EcuStatus[]) => store.take(child, { ecus }, clock.now);
  const shown = () => store.report()?.ecus.map(({ ecuId }) => ecuId);
  const local = new MemoryEcu('main');
  return { store, clock, log, take, shown, local };
}

const updating = updateProgress({ phase: 'APPLYING_UPDATE' });

describe('the answer to Status', () => {
  it('is none until the own status is known', () => {
    const { store, take, local, shown } = storeOf();
    take('c1', ecuStatus('c1'));
    assert.equal(store.report(), undefined);
    store.follow(local);
    assert.deepEqual(shown(), ['c1', 'main']);
  });

  it('does not wait for the own status of an ECU that is in no campaign', () => {
    const { take, shown } = storeOf({ availableEcuIds: ['c1'] });
    take('c1', ecuStatus('c1'));
    assert.deepEqual(shown(), ['c1']);
  });

  it('has ECUs in the order of the configuration, then all others, and only what configuration says as available', () => {
    const { store, take, local, shown } = storeOf();
    store.follow(local);
    take('c2', ecuStatus('c2'), ecuStatus('x'));
    take('c1', ecuStatus('g1'), ecuStatus('c1'));
    assert.deepEqual(shown(), ['c1', 'main', 'g1', 'c2', 'x']);
    assert.deepEqual(store.report()?.availableEcuIds, ['c1', 'main', 'g1']);
  });

  it('follows the own ECU', () => {
    const { store, local } = storeOf();
    const stop = store.follow(local);
    local.become({ status: 'UPDATING', progress: updating });
    assert.equal(store.report()?.ecus[0]?.status, 'UPDATING');
    stop();
    local.become({ status: 'SUCCESS' });
    assert.equal(store.report()?.ecus[0]?.status, 'UPDATING');
  });

  it('drops a silent child and all below it, but not after one missed poll and not before it is time', () => {
    const { store, clock, take, local, shown } = storeOf({ dropAfterMs: 3000 });
    store.follow(local);
    take('c1', ecuStatus('c1'), ecuStatus('g1'));
    take('c2', ecuStatus('c2'));
    clock.now += 60_000;
    store.miss('c1');
    clock.now += 10_000;
    assert.deepEqual(shown(), ['c1', 'main', 'g1', 'c2'], 'no poll was missed again');
    store.miss('c1');
    assert.deepEqual(shown(), ['main', 'c2']);
    take('c1', ecuStatus('c1'), ecuStatus('g1'));
    assert.deepEqual(shown(), ['c1', 'main', 'g1', 'c2']);
    store.miss('c1');
    clock.now += 2999;
    store.miss('c1');
    assert.deepEqual(shown(), ['c1', 'main', 'g1', 'c2'], 'too early');
  });

  it('drops what a child does not report any more', () => {
    const { store, take, local, shown } = storeOf();
    store.follow(local);
    take('c1', ecuStatus('c1'), ecuStatus('g1'));
    take('c1', ecuStatus('c1'));
    assert.deepEqual(shown(), ['c1', 'main']);
  });
});

describe('a child that lies', () => {
  it('cannot speak for this ECU, for another child or for what lies below that; each told once', () => {
    const { store, take, local, log } = storeOf();
    store.follow(local);
    take('c1', ecuStatus('c1'), ecuStatus('g1'));
    const lie = { firmwareVersion: 'lie' };
    for (let n = 0; n < 3; n += 1) {
      take('c2', ecuStatus('c2'), ecuStatus('main', lie), ecuStatus('c1', lie), ecuStatus('g1', lie));
    }
    const versions = store.report()?.ecus.map(({ ecuId, firmwareVersion }) => `${ecuId} ${firmwareVersion}`);
    assert.deepEqual(versions, ['c1 1.0', 'main 1.0', 'g1 1.0', 'c2 1.0']);
    assert.equal(log.lines.filter((line) => line.includes('not below it')).length, 3);
    assert.equal(store.childFor('g1'), 'c1');
  });

  it('cannot make us remember ever more ECUs', () => {
    const { store, take, clock } = storeOf();
    for (let n = 0; n < 5000; n += 1) {
      clock.now += 1;
      take('c1', ecuStatus('c1'), ecuStatus(`made-up-${n}`, { progress: updating }));
    }
    assert.ok(store.overview().inUpdate.size <= 512);
    assert.equal(store.childFor('c1'), 'c1');
  });

  it('does not keep an ECU that has moved behind another child', () => {
    const { store, take } = storeOf();
    take('c1', ecuStatus('c1'), ecuStatus('g1'));
    take('c1', ecuStatus('c1'));
    take('c2', ecuStatus('c2'), ecuStatus('g1'));
    assert.equal(store.childFor('g1'), 'c2');
  });
});

describe('the overview', () => {
  it('sorts ECUs by what they are doing', () => {
    const { store, take, local } = storeOf();
    store.follow(local);
    take('c1', ecuStatus('c1', { status: 'FAILURE' }), ecuStatus('g1', { progress: updating }));
    take('c2', ecuStatus('c2', { status: 'ABORTING' }), ecuStatus('x', { status: 'ROLLBACK_FAILURE' }));
    const seen = store.overview();
    assert.deepEqual([...seen.failed], ['c1']);
    assert.deepEqual([...seen.success], ['main']);
    assert.deepEqual([...seen.inUpdate], ['g1', 'c2']);
    assert.deepEqual([...seen.childrenInUpdate], ['g1', 'c2']);
    assert.equal(seen.needsNetwork, false, 'g1 has downloaded everything');
    assert.equal(seen.allSuccess, false);
  });

  it('does not count the own update as a child in update', () => {
    const { store, local } = storeOf();
    store.follow(local);
    local.become({ status: 'UPDATING', progress: updateProgress({ phase: 'DOWNLOADING_OTA_FILES' }) });
    const seen = store.overview();
    assert.deepEqual([...seen.inUpdate], ['main']);
    assert.equal(seen.childrenInUpdate.size, 0);
    assert.equal(seen.needsNetwork, true);
  });

  it('is all success only when every ECU of the campaign is', () => {
    const { store, take, local } = storeOf();
    store.follow(local);
    take('c1', ecuStatus('c1'));
    assert.equal(store.overview().allSuccess, false);
    take('c1', ecuStatus('c1'), ecuStatus('g1'));
    assert.equal(store.overview().allSuccess, true);
  });

  it('keeps the last that a silent ECU said until it is lost', () => {
    const { store, take, clock } = storeOf({ lostAfterMs: 100_000 });
    take('c1', ecuStatus('c1', { progress: updating }));
    store.miss('c1');
    clock.now += 99_000;
    store.miss('c1');
    assert.deepEqual([...store.overview().childrenInUpdate], ['c1']);
    clock.now += 2000;
    assert.deepEqual([...store.overview().childrenInUpdate], []);
    assert.deepEqual([...store.overview().lost], ['c1']);
  });
});

describe('an ECU that accepted a request', () => {
  it('counts as in update until its status shows the update', () => {
    const { store, take, clock } = storeOf();
    take('c1', ecuStatus('c1'));
    store.accept(['c1']);
    assert.deepEqual([...store.overview().childrenInUpdate], ['c1']);
    assert.equal(store.overview().needsNetwork, true);
    clock.now += 1;
    take('c1', ecuStatus('c1'));
    assert.deepEqual([...store.overview().childrenInUpdate], ['c1'], 'it does not show it yet');
    take('c1', ecuStatus('c1', { progress: updating }));
    take('c1', ecuStatus('c1'));
    assert.deepEqual([...store.overview().childrenInUpdate], []);
  });

  it('is not judged by an answer to a poll from before', () => {
    const { store, clock, take } = storeOf();
    take('c1', ecuStatus('c1'));
    const before = clock.now;
    clock.now += 10;
    store.accept(['c1']);
    store.take('c1', { ecus: [ecuStatus('c1', { status: 'FAILURE' })] }, before);
    assert.deepEqual([...store.overview().childrenInUpdate], ['c1']);
  });

  it('is done when its status has become another without the update having been seen', () => {
    const { store, take } = storeOf();
    take('c1', ecuStatus('c1'));
    store.accept(['c1']);
    take('c1', ecuStatus('c1', { status: 'FAILURE' }));
    assert.deepEqual([...store.overview().childrenInUpdate], []);
    assert.deepEqual([...store.overview().failed], ['c1']);
  });

  it('is not waited for for ever', () => {
    const { store, clock } = storeOf({ acceptedHoldMs: 5000 });
    store.accept(['never-heard-of']);
    assert.deepEqual([...store.overview().childrenInUpdate], ['never-heard-of']);
    clock.now += 5000;
    assert.equal(store.overview().childrenInUpdate.size, 0);
  });
});
