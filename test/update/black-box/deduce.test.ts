import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deduceCause } from '#update/black-box/deduce.ts';

const nothing = { end: undefined, newCrashRecords: [], watchdogs: [], boots: undefined, steps: [] };
const cause = (traces: Partial<Parameters<typeof deduceCause>[0]>): string =>
  deduceCause({ ...nothing, ...traces }).cause;

test('the most certain witness decides', () => {
  const end = { cause: 'emergency_mode', detail: 'said so' } as const;
  const newCrashRecords = ['/sys/fs/pstore/dmesg-efi-1 10 1'];
  const watchdogs = ['watchdog0'];
  assert.equal(cause({ end, newCrashRecords, watchdogs, boots: 3 }), 'emergency_mode');
  assert.equal(cause({ newCrashRecords, watchdogs, boots: 3 }), 'kernel_crash');
  assert.equal(cause({ watchdogs, boots: 3 }), 'watchdog_reset');
  const steps = ['first_boot', 'rebooting'];
  assert.equal(cause({ watchdogs, boots: 3, steps }), 'watchdog_reset');
  assert.equal(cause({ boots: 3, steps }), 'rebooted');
  assert.equal(cause({ boots: 1, steps: ['first_boot', 'powering_off'] }), 'switched_off');
  assert.equal(cause({ boots: 1, steps: [...steps, 'first_boot'] }), 'cut_off');
  assert.equal(cause({ boots: 1, steps: ['first_boot', 'probes_held'] }), 'switched_off');
  assert.equal(cause({ watchdogs, boots: 1, steps: ['first_boot', 'probes_held'] }), 'watchdog_reset');
  assert.equal(cause({ boots: 3 }), 'reboot_loop');
  assert.equal(cause({ boots: 1 }), 'cut_off');
  assert.equal(cause({}), 'not_booted');
});

test('details name what was found, and take nothing else along', () => {
  const end = { cause: 'probe_failed', detail: 'web', complete: false } as const;
  assert.deepEqual(deduceCause({ ...nothing, end }), { cause: 'probe_failed', detail: 'web' });
  assert.equal(deduceCause({ ...nothing, watchdogs: ['watchdog0'] }).detail, 'watchdog0 reset the machine');
});
