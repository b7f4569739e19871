import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { sharedStatus } from '#boot/shared-status.ts';
import { findSlotDevices } from '#boot/slot-devices.ts';
import { loaderSetting } from '../support/loader-setting.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';

const never = new AbortController().signal;
const kib = 2048;

/** Small partitions with these names; the first one is formatted and mounted as the running release. */
function diskWith(t: TestContext, ...names: readonly string[]) {
  const disk = LoopDisk.create(
    t,
    names.map((name) => ({ name, kib })),
  );
  disk.format(1, 'ext4', '-O', '^has_journal');
  return { disk, root: disk.mount(1) };
}

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BootError, `a BootError, not ${String(error)}`);
  assert.equal(error.code, 'startup_failed');
  return error.message;
}

describe('slot partitions', { skip: whyNoLoopDisks() }, () => {
  it('are found by their names, and the one that holds the running release is booted', async (t) => {
    const { disk, root } = diskWith(t, 'slot_b', 'data', 'slot_a');
    const found = await findSlotDevices(loaderSetting(root), never);
    assert.equal(found.booted, 'slot_b');
    assert.deepEqual(
      [found.devices.slot_a.path, found.devices.slot_b.path],
      [disk.partition(3), disk.partition(1)],
    );
  });

  it('are found by the labels of their file systems where they have no names', async (t) => {
    const { disk, root } = diskWith(t, 'one', 'two');
    disk.format(2, 'ext4', '-O', '^has_journal', '-L', 'slot_b');
    const message = await refusal(findSlotDevices(loaderSetting(root), never));
    assert.match(message, /there is no partition for slot_a: .* PARTLABEL=slot_a or LABEL=slot_a/);
    assert.match(message, /say which it is with the option boot\.slot_a/);
    const found = await findSlotDevices(loaderSetting(root, { slotA: disk.partition(1) }), never);
    assert.deepEqual([found.booted, found.devices.slot_b.path], ['slot_a', disk.partition(2)]);
  });

  it('are those of the disk that runs, also with a copy of it beside it', async (t) => {
    const copy = diskWith(t, 'slot_a', 'slot_b');
    const { disk, root } = diskWith(t, 'slot_a', 'slot_b');
    const found = await findSlotDevices(loaderSetting(root), never);
    assert.deepEqual([found.devices.slot_a.disk, found.devices.slot_b.disk], [disk.node, disk.node]);
    assert.notEqual(copy.disk.node, disk.node);
  });

  it('are not looked for on other disks, unless they are named', async (t) => {
    const other = diskWith(t, 'slot_a', 'slot_b');
    const { disk, root } = diskWith(t, 'slot_a', 'data');
    const message = await refusal(findSlotDevices(loaderSetting(root), never));
    assert.match(message, /no partition for slot_b: only .*, not on the disk that runs, has PARTLABEL/);
    const found = await findSlotDevices(loaderSetting(root, { slotB: other.disk.partition(2) }), never);
    assert.deepEqual([found.booted, found.devices.slot_a.disk], ['slot_a', disk.node]);
  });

  it('are refused by name: ambiguous, the same, missing, or not those that run', async (t) => {
    const { disk, root } = diskWith(t, 'slot_a', 'slot_b', 'slot_b');
    const [one, two, three] = [disk.partition(1), disk.partition(2), disk.partition(3)];
    const of = (options: Parameters<typeof loaderSetting>[1]): Promise<string> =>
      refusal(findSlotDevices(loaderSetting(root, options), never));
    assert.equal(
      await of({}),
      `slot_b is ambiguous: ${two} and ${three} have PARTLABEL=slot_b; name one partition with the option boot.slot_b`,
    );
    assert.match(
      await of({ slotB: one }),
      new RegExp(`slot_a and slot_b are the same device: ${one}; give each`),
    );
    assert.match(await of({ slotB: disk.node }), /are the same device: .*overlaps/);
    assert.match(
      await of({ slotB: '/dev/nothing' }),
      /no device for slot_b at \/dev\/nothing .*; correct the option boot\.slot_b/,
    );
    assert.match(await of({ slotB: 'LABEL=nothing' }), /no device has LABEL=nothing; correct the option/);
    assert.match(
      await of({ slotA: two, slotB: three }),
      new RegExp(
        `the running release lies on ${one}, which is neither slot_a \\(${two}\\) nor slot_b \\(${three}\\)`,
      ),
    );
  });

  it('are looked for only where the running release lies on a disk', async () => {
    assert.match(
      await refusal(findSlotDevices(loaderSetting('/proc'), never)),
      /\/proc lies on no block device/,
    );
  });
});

describe('the directory of status files', { skip: whyNoLoopDisks() }, () => {
  it('is refused inside a slot, where the other slot does not see it', async (t) => {
    const { disk, root } = diskWith(t, 'slot_a', 'slot_b', 'data');
    const setting = loaderSetting(root);
    const { devices } = await findSlotDevices(setting, never);
    assert.match(
      await refusal(sharedStatus(setting, devices, 'daemon', never)),
      /boot\/ota-status lies inside slot_a \(.*p1\), where the other slot does not see it; mount a partition there/,
    );
    disk.format(3, 'ext4', '-O', '^has_journal');
    const data = disk.mount(3);
    await mkdir(join(root, 'boot'));
    const named = loaderSetting(root, { statusDirectory: join(data, 'not/yet') });
    const place = await sharedStatus(named, devices, 'daemon', never);
    assert.ok(place.kind === 'shared');
    assert.equal(place.directory('slot_b'), join(data, 'not/yet/slot_b'));
    execFileSync('mount', ['-o', 'remount,ro', data]);
    assert.match(
      await refusal(sharedStatus(named, devices, 'daemon', never)),
      /the status directory .*not\/yet cannot be written to: .* read only for this process; .* mount it writable/,
    );
    assert.equal((await sharedStatus(named, devices, 'reader', never)).kind, 'shared');
  });
});
