import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SystemdBootLoader } from '#boot/systemd-boot/systemd-boot.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { cutAtChange } from '../../support/standstill.ts';
import { SystemdBootMachine } from '../../support/systemd-boot-machine.ts';

test('a power cut before any change of the boot partition boots the old or the new release', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  const tree = await machine.release(t, '6.1.0-2', 'two');
  const copies = await scratchDirectory(t);
  const steps = [
    { name: 'install', booted: 'slot_a', act: (loader: SystemdBootLoader) => loader.install(tree) },
    { name: 'try', booted: 'slot_a', act: (loader: SystemdBootLoader) => loader.tryOnce('slot_b') },
    { name: 'confirm', booted: 'slot_b', act: (loader: SystemdBootLoader) => loader.makeDefault('slot_b') },
  ] as const;
  const seen: Record<string, readonly string[]> = {};
  for (const { name, booted, act } of steps) {
    const found = new Set<string>();
    let isCut = true;
    for (let cutAt = 1; isCut; cutAt++) {
      const boot = join(copies, `${name}-${cutAt}`);
      await cp(machine.boot, boot, { recursive: true });
      const copy = SystemdBootMachine.at(machine.setting.activeRoot, boot);
      isCut = await cutAtChange(cutAt, () => act(copy.loader(booted)));
      // Before the first update there is no entry of ours yet, but that of whoever installed the machine.
      const isOurs = (await copy.entries()).includes('ota-slot_a.conf');
      const kernels = isOurs
        ? [await copy.power(), await copy.power()].map(({ kernel }) => kernel)
        : ['first'];
      found.add(kernels.join(', '));
    }
    seen[name] = [...found].sort();
    await act(machine.loader(booted));
    if (name === 'try') await machine.power();
  }
  const [old, next] = ['kernel of one', 'kernel of two'];
  assert.deepEqual(seen, {
    install: ['first', `${old}, ${old}`],
    try: [`${old}, ${old}`, `${next}, ${old}`],
    confirm: [`${old}, ${old}`, `${next}, ${next}`],
  });
});
