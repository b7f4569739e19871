import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { SystemdBootMachine } from '../../support/systemd-boot-machine.ts';

const program = fileURLToPath(new URL('../../support/systemd-boot-once.ts', import.meta.url));
const cutPower = new URL('../../support/cut-power.ts', import.meta.url).href;

/** Does one thing in a process that is killed before its change number `cutAt`. False when it had no such change. */
function cut(cutAt: number, args: readonly string[]): Promise<boolean> {
  const env = { ...process.env, CUT_AT: String(cutAt) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--import', cutPower, program, ...args], { env }, (error) => {
      if (error === null) resolve(false);
      else if (error.signal === 'SIGKILL') resolve(true);
      else reject(error);
    });
  });
}

test('a power cut before any change of the boot partition boots the old or the new release', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  const tree = await machine.release(t, '6.1.0-2', 'two');
  const copies = await scratchDirectory(t);
  const [{ activeRoot }, seen] = [machine.setting, new Map<string, Set<string>>()];
  const steps = [
    ['install', 'slot_a'],
    ['try', 'slot_a'],
    ['confirm', 'slot_b'],
  ] as const;
  for (const [action, booted] of steps) {
    const found = new Set<string>();
    for (let cutAt = 1, isCut = true; isCut; cutAt++) {
      const boot = join(copies, `${action}-${cutAt}`);
      await cp(machine.boot, boot, { recursive: true });
      isCut = await cut(cutAt, [activeRoot, boot, action, booted, tree.root]);
      const after = SystemdBootMachine.at(activeRoot, boot);
      // Before the first update there is no entry of ours yet, but that of whoever installed the machine.
      const kernels =
        action === 'install' && !(await after.entries()).includes('ota-slot_a.conf')
          ? ['kernel of one']
          : [(await after.power()).kernel, (await after.power()).kernel];
      found.add(kernels.map((kernel) => (kernel === 'kernel of two' ? 'new' : 'old')).join(' '));
    }
    seen.set(action, found);
    await cut(0, [activeRoot, machine.boot, action, booted, tree.root]);
    if (action === 'try') await machine.power();
  }
  assert.deepEqual(Object.fromEntries([...seen].map(([action, found]) => [action, [...found].sort()])), {
    install: ['old', 'old old'],
    try: ['new old', 'old old'],
    confirm: ['new new', 'old old'],
  });
});
