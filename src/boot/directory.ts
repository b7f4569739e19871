import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectoryDurably, sweepTemporaries } from '#host/durable-file.ts';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import type { BootChoice } from './boot-choice-file.ts';
import { readBootChoice, writeBootChoice } from './boot-choice-file.ts';
import type { BootControl } from './boot-control.ts';
import { BootError } from './boot-error.ts';
import type { SlotId, Slots, StandbyTree } from './slots.ts';
import { otherSlot, slotIds } from './slots.ts';
import { StatusFiles } from './status-files.ts';
import { openStatusSlots } from './status-slots.ts';

export interface DirectoryBootOptions {
  /** Holds `slot_a/ slot_b/ status/ boot.json`. A slot may be a symbolic link to a directory elsewhere. */
  readonly directory: string;
  /** Ends this boot; resolves once that is under way. */
  readonly reboot: () => Promise<void>;
}

/**
 * Boots a pair of slots that are plain directories: one call is one boot. A one-shot choice is taken away durably before
 * anything else happens, so that a crash or power cut before `confirm` boots the old slot again.
 *
 * An empty directory is set up first: what lies in `slot_a` (or, without it, in `slot_b`) is the release that runs.
 * Errors: BootError `startup_failed`.
 */
export async function bootDirectorySlots(options: DirectoryBootOptions): Promise<Slots> {
  const directory = resolve(options.directory);
  const choiceFile = join(directory, 'boot.json');
  try {
    await makeDirectoryDurably(directory);
    await sweepTemporaries(directory);
    const before = (await readBootChoice(choiceFile)) ?? (await setUp(directory, choiceFile));
    const booted = before.once ?? before.default;
    if (before.once !== null || before.booted !== booted) {
      await writeBootChoice(choiceFile, { default: before.default, once: null, booted });
    }
    await makeDirectoryDurably(join(directory, booted));
    const running = { booted, activeRoot: await rootOf(directory, booted) };
    const control = new DirectoryControl(directory, choiceFile, running, options.reboot);
    return await openStatusSlots(control, 'daemon');
  } catch (error) {
    throw startupError(directory, error);
  }
}

/**
 * Opens the slots as the last boot left them, for readers beside the daemon: takes no one-shot choice away.
 * Errors: BootError `startup_failed` when they were never booted.
 */
export async function readDirectorySlots(directory: string): Promise<Slots> {
  const choiceFile = join(resolve(directory), 'boot.json');
  try {
    const choice = await readBootChoice(choiceFile);
    if (choice === undefined) {
      throw new BootError('startup_failed', `${choiceFile} does not exist: no daemon was started on it yet`);
    }
    const noReboot = (): Promise<void> =>
      Promise.reject(new BootError('reboot_failed', 'only the daemon reboots'));
    const { booted } = choice;
    const running = { booted, activeRoot: await rootOf(resolve(directory), booted) };
    const control = new DirectoryControl(resolve(directory), choiceFile, running, noReboot);
    return await openStatusSlots(control, 'reader');
  } catch (error) {
    throw startupError(directory, error);
  }
}

/** The slots as they are, also before their first boot, when none is booted. Errors: BootError, those of the file system. */
export async function bootDirectoryState(directory: string): Promise<{
  readonly booted: SlotId | undefined;
  readonly slots: readonly { readonly slot: SlotId; readonly root: string; readonly status: string }[];
}> {
  const choice = await readBootChoice(join(resolve(directory), 'boot.json'));
  const slots = slotIds.map((slot) => ({
    slot,
    root: join(directory, slot),
    status: join(directory, 'status', slot),
  }));
  return { booted: choice?.booted, slots };
}

function startupError(directory: string, error: unknown): BootError {
  if (error instanceof BootError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new BootError('startup_failed', `slots in ${directory} could not be opened: ${why}`, {
    cause: error,
  });
}

/** The boot choice comes last: until it is there, this is done again from the start. */
async function setUp(directory: string, choiceFile: string): Promise<BootChoice> {
  const [a, b] = [await exists(join(directory, 'slot_a')), await exists(join(directory, 'slot_b'))];
  const active: SlotId = b && !a ? 'slot_b' : 'slot_a';
  const files = new StatusFiles(join(directory, 'status', active));
  await files.open();
  // What the ECU was delivered with runs, so that it can be gone back to; an empty directory cannot.
  if (await holdsFiles(join(directory, active))) {
    await files.setRecord({ state: 'confirmed', imageDigest: '' });
  }
  const choice: BootChoice = { default: active, once: null, booted: active };
  await writeBootChoice(choiceFile, choice);
  return choice;
}

/** Boot control `directory`: the boot choice is `boot.json`, a start of the daemon is a boot. */
class DirectoryControl implements BootControl {
  readonly name = 'directory';
  readonly booted: SlotId;
  readonly activeRoot: string;
  readonly #directory: string;
  readonly #choiceFile: string;
  readonly #reboot: () => Promise<void>;

  constructor(
    directory: string,
    choiceFile: string,
    { booted, activeRoot }: Pick<BootControl, 'booted' | 'activeRoot'>,
    reboot: () => Promise<void>,
  ) {
    this.booted = booted;
    this.activeRoot = activeRoot;
    this.#directory = directory;
    this.#choiceFile = choiceFile;
    this.#reboot = reboot;
  }

  async statusDirectory(slot: SlotId): Promise<string> {
    return join(this.#directory, 'status', slot);
  }

  reach(slot: SlotId): Promise<string> {
    return rootOf(this.#directory, slot);
  }

  async letGo(): Promise<void> {}

  async standbyTree(): Promise<StandbyTree> {
    const slot = otherSlot(this.booted);
    const root = await rootOf(this.#directory, slot);
    return { slot, root, work: `${root}.work`, activeRoot: this.activeRoot, reserved: [] };
  }

  look(): Promise<StandbyTree> {
    return this.standbyTree();
  }

  async makeReady(tree: StandbyTree, signal: AbortSignal): Promise<void> {
    await makeDirectoryDurably(tree.root);
    signal.throwIfAborted();
    await mkdir(tree.work, { recursive: true, mode: 0o700 });
    const [root, work] = [await stat(tree.root), await stat(tree.work)];
    if (root.dev !== work.dev) {
      throw new BootError(
        'prepare_failed',
        `${tree.root} and ${tree.work} lie on different file systems; make ${tree.slot} a directory or a symbolic ` +
          'link to a directory instead of a mount point',
      );
    }
  }

  async seal(tree: StandbyTree): Promise<void> {
    await rm(tree.work, { recursive: true, force: true });
    await syncFilesystem(tree.root, new AbortController().signal);
  }

  async tryOnce(slot: SlotId): Promise<void> {
    const choice = await this.#choice();
    await writeBootChoice(this.#choiceFile, { ...choice, once: slot });
  }

  async makeDefault(slot: SlotId): Promise<void> {
    const choice = await this.#choice();
    if (choice.default === slot && choice.once === null) return;
    await writeBootChoice(this.#choiceFile, { ...choice, default: slot, once: null });
  }

  async cancelTry(): Promise<void> {
    const choice = await this.#choice();
    if (choice.once !== null) await writeBootChoice(this.#choiceFile, { ...choice, once: null });
  }

  reboot(): Promise<void> {
    return this.#reboot();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #choice(): Promise<BootChoice> {
    const choice = await readBootChoice(this.#choiceFile);
    if (choice === undefined) throw new BootError('switch_failed', `${this.#choiceFile} has gone`);
    return choice;
  }
}

/** `work` lies beside the real directory, so that both are on one file system. */
async function rootOf(directory: string, slot: SlotId): Promise<string> {
  const path = join(directory, slot);
  return (await exists(path)) ? realpath(path) : path;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path, { throwIfNoEntry: false })) !== undefined;
}

async function holdsFiles(path: string): Promise<boolean> {
  return (await exists(path)) && (await readdir(path)).length > 0;
}
