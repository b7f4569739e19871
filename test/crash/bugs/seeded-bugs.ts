import type { Chapter } from '../story.ts';

/** A durability bug as somebody might write it: pieces of sources, and what stands there instead. */
export interface SeededBug {
  readonly name: string;
  /** The chapters in which it shows. */
  readonly chapters: readonly Chapter[];
  readonly changes: readonly SourceChange[];
}

interface SourceChange {
  /** Path below `src/`. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly instead: string;
}

const durableFile = 'host/durable-file.ts';
const settledFile = 'host/settled-file.ts';
const statusSlots = 'boot/status-slots.ts';
const blockControl = 'boot/block-control.ts';

const update: readonly Chapter[] = ['update'];
const everything: readonly Chapter[] = ['update', 'rollback', 'update in place'];

const noSyncOfSlot: SourceChange = {
  file: blockControl,
  text: `      await syncFilesystem(root, never);\n`,
  instead: '',
};

const statusOfSwitch = `      await other.setRelease(release.version, release.detail);
      await other.setRecord({ state: 'staged', imageDigest: release.imageDigest });
      await other.setSlotInUse(tree.slot);
      await this.#nameDevice(other, tree.slot);
      await other.setStatus('UPDATING');
`;

const switchAfterLettingGo = `      await letGoUnlessHeld(this.#control, tree, lastLook);
      this.#inUse = false;
      await this.#control.tryOnce(tree.slot);
`;

export const seededBugs: readonly SeededBug[] = [
  {
    name: 'a small file is renamed without fsync',
    chapters: update,
    changes: [
      {
        file: durableFile,
        text: `      await file.writeFile(data);\n      await file.sync();`,
        instead: `      await file.writeFile(data);`,
      },
    ],
  },
  {
    name: 'a directory is not synced after a rename',
    chapters: update,
    changes: [{ file: durableFile, text: `    await directory.sync();\n`, instead: '' }],
  },
  {
    name: 'a small file is renamed before it is written',
    chapters: update,
    changes: [
      {
        file: durableFile,
        text: `      await file.writeFile(data);\n      await file.sync();`,
        instead: `      await rename(temporary, path);
      await syncDirectory(dirname(path));
      await file.writeFile(data);
      await file.sync();`,
      },
      { file: durableFile, text: `    await rename(temporary, path);\n  } catch`, instead: `  } catch` },
    ],
  },
  {
    name: 'the boot is switched before the slot is flushed',
    chapters: update,
    changes: [
      noSyncOfSlot,
      {
        file: statusSlots,
        text: switchAfterLettingGo,
        instead: `      this.#inUse = false;
      await this.#control.tryOnce(tree.slot);
      await letGoUnlessHeld(this.#control, tree, lastLook);
`,
      },
    ],
  },
  {
    name: 'the slot is neither flushed nor unmounted',
    chapters: update,
    changes: [
      noSyncOfSlot,
      {
        file: statusSlots,
        text: switchAfterLettingGo,
        instead: `      this.#inUse = false;
      await this.#control.tryOnce(tree.slot);
`,
      },
    ],
  },
  {
    name: 'the status says staged before the data are there',
    chapters: update,
    changes: [
      {
        file: statusSlots,
        text: statusOfSwitch,
        instead: '',
      },
      {
        file: statusSlots,
        text: `      await this.#control.seal(tree);\n`,
        instead: `      {
        const other = await this.#otherOrFail('write');
        await other.open();
${statusOfSwitch}      }
      await this.#control.seal(tree);\n`,
      },
    ],
  },
  {
    name: 'the status is written after the boot was switched',
    chapters: update,
    changes: [
      { file: statusSlots, text: `      await other.setStatus('UPDATING');\n`, instead: '' },
      {
        file: statusSlots,
        text: `      await this.#control.tryOnce(tree.slot);`,
        instead: `      await this.#control.tryOnce(tree.slot);\n      await other.setStatus('UPDATING');`,
      },
    ],
  },
  {
    name: 'success is written before the slot is the default',
    chapters: update,
    changes: [
      { file: statusSlots, text: `      await this.#control.makeDefault(this.#booted);\n`, instead: '' },
      {
        file: statusSlots,
        text: `      await own.setStatus('SUCCESS');\n`,
        instead: `      await own.setStatus('SUCCESS');\n      await this.#control.makeDefault(this.#booted);\n`,
      },
    ],
  },
  {
    name: 'the environment block is written in place and not flushed',
    chapters: update,
    changes: [
      {
        file: 'boot/grub/grubenv.ts',
        text: `      await replaceSettled(this.#partition, this.path, bytes, signal);`,
        instead: `      await (await import('node:fs/promises')).writeFile(this.path, bytes);`,
      },
    ],
  },
  {
    name: 'what the boot loader reads stays in the journal',
    chapters: update,
    changes: [
      {
        file: settledFile,
        text: `  if (journalFree.includes(partition.type)) return syncFilesystem(partition.mountPoint, signal);`,
        instead: `  if (partition.type !== '') return;`,
      },
    ],
  },
  {
    name: 'what the boot loader reads is settled before it has its name only',
    chapters: update,
    changes: [
      {
        file: settledFile,
        text: `  await settle(partition, signal);\n  await removeDurably(old);\n  const written`,
        instead: `  await removeDurably(old);\n  const written`,
      },
    ],
  },
  {
    name: 'a slot is written to without being marked',
    chapters: everything,
    changes: [
      {
        file: statusSlots,
        text: `        await other.setRecord({ state: 'written_to', imageDigest: '' });\n        await other.clearRelease();\n`,
        instead: '',
      },
    ],
  },
  {
    name: 'a rollback switches the boot before it says so',
    chapters: ['update', 'rollback'],
    changes: [
      { file: statusSlots, text: `      await other.setStatus('ROLLBACKING');\n`, instead: '' },
      {
        file: statusSlots,
        text: `      await this.#control.tryOnce(target.id);`,
        instead: `      await this.#control.tryOnce(target.id);\n      await other.setStatus('ROLLBACKING');`,
      },
    ],
  },
  {
    name: 'the running slot does not say FAILURE before the switch',
    chapters: update,
    changes: [{ file: statusSlots, text: `      await own.setStatus('FAILURE');\n`, instead: '' }],
  },
];

/** Errors: Error when there is no such bug. */
export function bugNamed(name: string): SeededBug {
  const bug = seededBugs.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`there is no seeded bug "${name}"`);
  return bug;
}

/** A source with the bug in it. Errors: Error when the source is not as the bug knows it: adapt the bug. */
export function withBug(bug: SeededBug, file: string, source: string): string {
  let changed = source;
  for (const change of bug.changes) {
    if (change.file !== file) continue;
    const pieces = changed.split(change.text);
    if (pieces.length !== 2) {
      const found = `is found ${pieces.length - 1} times in src/${file}`;
      throw new Error(`seeded bug "${bug.name}" does not match its source: this ${found}:\n${change.text}`);
    }
    changed = pieces.join(change.instead);
  }
  return changed;
}
