import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot, slotIds } from '#boot/slots.ts';
import {
  copyDurably,
  readAtMost,
  removeDurably,
  sweepTemporaries,
  writeDurably,
} from '#host/durable-file.ts';

/** Larger files are not text that the firmware reads. */
const maxTextBytes = 256 * 1024;

/** Files of which each slot has its own, as `<name>_<slot>`. */
type SlotFile = 'config.txt' | 'cmdline.txt' | 'vmlinuz' | 'initrd.img';

/**
 * The boot partition that the firmware of a Raspberry Pi reads. It boots what `config.txt` says, or, once and only after
 * a reboot with the argument `0 tryboot`, what `tryboot.txt` says; the flag is gone before the kernel starts.
 * @see https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#fail-safe-os-updates-tryboot
 */
export class BootPartition {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Looks in `<boot>/firmware`, then in `<boot>` itself. Undefined where neither has files of slots. */
  static async find(bootDirectory: string): Promise<BootPartition | undefined> {
    for (const directory of [join(bootDirectory, 'firmware'), bootDirectory]) {
      const partition = new BootPartition(directory);
      for (const slot of slotIds) {
        if (await exists(partition.path('config.txt', slot))) return partition;
      }
    }
    return undefined;
  }

  path(file: SlotFile, slot: SlotId): string {
    return join(this.directory, `${file}_${slot}`);
  }

  /** Whether every slot has what only the one who laid out the disk can know. Errors: BootError `startup_failed`. */
  async check(): Promise<void> {
    for (const slot of slotIds) {
      for (const file of ['config.txt', 'cmdline.txt'] as const) {
        if ((await this.#text(this.path(file, slot))).trim() !== '') continue;
        throw new BootError(
          'startup_failed',
          `${this.path(file, slot)} is missing or empty, without which ${slot} cannot be booted; restore it, or copy that of ` +
            `${otherSlot(slot)} and name ${slot} in it`,
        );
      }
      this.#checkConfig(slot, await this.#text(this.path('config.txt', slot)));
    }
  }

  async sweep(): Promise<void> {
    await sweepTemporaries(this.directory);
  }

  /** Durably; the firmware never finds a half of it. Errors: BootError `switch_failed`. */
  async install(file: 'vmlinuz' | 'initrd.img', slot: SlotId, from: string): Promise<void> {
    const to = this.path(file, slot);
    await changing(to, () => copyDurably(from, to));
  }

  /** Has the kernel of `slot` mount `root` (`LABEL=slot_b`); the rest of its command line stays as it is. */
  async setRoot(slot: SlotId, root: string): Promise<void> {
    const path = this.path('cmdline.txt', slot);
    // The firmware reads the first line only.
    const line = (await this.#text(path)).split('\n')[0] ?? '';
    const words = line.split(/\s+/).filter((word) => word !== '');
    const others = words.filter((word) => !word.startsWith('root='));
    if (others.length === words.length - 1 && words.includes(`root=${root}`)) return;
    await this.#write(path, `${[...others, `root=${root}`].join(' ')}\n`);
  }

  async config(slot: SlotId): Promise<string> {
    return this.#text(this.path('config.txt', slot));
  }

  async setConfig(slot: SlotId, text: string): Promise<void> {
    if (text !== (await this.config(slot))) await this.#write(this.path('config.txt', slot), text);
  }

  /** Has the firmware boot `slot`: by default, or when it is told to try. Errors: BootError `switch_failed`. */
  async choose(file: 'config.txt' | 'tryboot.txt', slot: SlotId): Promise<void> {
    const config = await this.config(slot);
    this.#checkConfig(slot, config);
    const path = join(this.directory, file);
    if (config !== (await this.#textOrNothing(path))) await this.#write(path, config);
    if ((await this.#textOrNothing(path)) === config) return;
    throw new BootError(
      'switch_failed',
      `${path} does not read back as it was written; check the boot partition`,
    );
  }

  /** The slot whose configuration `file` is; undefined for none. */
  async chosen(file: 'config.txt' | 'tryboot.txt'): Promise<SlotId | undefined> {
    const text = await this.#textOrNothing(join(this.directory, file));
    for (const slot of slotIds) if (text !== undefined && text === (await this.config(slot))) return slot;
    return undefined;
  }

  async forgetTry(): Promise<void> {
    const path = join(this.directory, 'tryboot.txt');
    await changing(path, () => removeDurably(path));
  }

  /** A configuration that boots the other slot would have every switch lie. */
  #checkConfig(slot: SlotId, config: string): void {
    const path = this.path('config.txt', slot);
    const lines = config.split('\n').filter((line) => !line.trimStart().startsWith('#'));
    const wrong = lines.find((line) => line.includes(`_${otherSlot(slot)}`));
    if (wrong !== undefined) {
      throw new BootError(
        'startup_failed',
        `${path} boots the wrong slot by its line "${wrong.trim()}"; name the files of ${slot} there`,
      );
    }
    if (lines.some((line) => line.includes(`cmdline.txt_${slot}`))) return;
    throw new BootError('startup_failed', `${path} has no line cmdline=cmdline.txt_${slot}; add it`);
  }

  /** Every byte is kept: comments may be in any encoding. */
  async #write(path: string, text: string): Promise<void> {
    await changing(path, () => writeDurably(path, Buffer.from(text, 'latin1')));
  }

  async #text(path: string): Promise<string> {
    return (await this.#textOrNothing(path)) ?? '';
  }

  async #textOrNothing(path: string): Promise<string | undefined> {
    const bytes = await readAtMost(path, maxTextBytes);
    return bytes?.toString('latin1');
  }
}

async function changing(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const what = `${path} could not be written (${why}); make room on the boot partition, or mount it writable`;
    throw new BootError('switch_failed', what, { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
