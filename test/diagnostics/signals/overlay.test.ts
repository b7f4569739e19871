import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlaySignals } from '#diagnostics/signals/overlay.ts';
import { ecuStatus } from '../../support/ecu-status.ts';

test('the overlay says whether an update is blocked and by what, without the values that change all the time', () => {
  const of = (name: string, waitingFor: readonly string[]) =>
    overlaySignals.find((signal) => signal.name === name)?.of(ecuStatus('a', { waitingFor }));
  assert.equal(of('IsUpdateBlocked', []), false);
  assert.deepEqual(of('BlockReasons', []), []);
  const waitingFor = ['parked: (it) stands (Vehicle.Speed is 42, 0.1 s old)'];
  assert.equal(of('IsUpdateBlocked', waitingFor), true);
  assert.deepEqual(of('BlockReasons', waitingFor), ['parked: (it) stands']);
});
