import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootDirectorySlots } from '#boot/directory.ts';

export type LifeAction = 'look' | 'install' | 'roll-back';

/**
 * One life of an ECU on boot control `directory`: boots, tells `VERDICT STATUS SLOT VERSION` of what it finds running,
 * finishes what the boot verdict asks for, and then looks on, installs the next version, or rolls back.
 */
export async function liveOnce(
  directory: string,
  action: LifeAction,
  tell: (found: string) => void,
): Promise<void> {
  await using slots = await bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
  const [verdict, current] = [await slots.judge(), await slots.current()];
  const whole = await readFile(join(slots.activeRoot, 'whole'), 'utf8').catch(() => 'torn');
  const says = current.version === '' ? whole : current.version;
  const word = verdict.kind === 'ordinary' ? verdict.status : verdict.of;
  tell(`${verdict.kind} ${word} ${current.id} ${whole === says ? whole : `WRONG-${whole}-${says}`}`);

  if (verdict.kind === 'first_boot') await slots.confirm();
  if (verdict.kind === 'fell_back') {
    await slots.record(verdict.of === 'update' ? 'FAILURE' : 'ROLLBACK_FAILURE', verdict.failure);
  }
  if (action === 'roll-back') await slots.rollBack();
  if (action === 'install') {
    const tree = await slots.prepare(new AbortController().signal);
    await rm(join(tree.root, 'whole'), { force: true });
    await writeFile(join(tree.root, 'part'), 'x'.repeat(100_000));
    const version = String(Number(whole) + 1);
    await writeFile(join(tree.root, 'whole'), version);
    await slots.activate(tree, { version, detail: undefined, imageDigest: version });
  }
}
