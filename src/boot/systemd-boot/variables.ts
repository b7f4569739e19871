import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import { bootToolOutput } from '#boot/boot-tool.ts';
import { readAtMost } from '#host/durable-file.ts';

/** Vendor of the variables that systemd-boot and the system talk by. @see https://systemd.io/BOOT_LOADER_INTERFACE/ */
const vendor = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

/** Variables that take precedence over the order of the entries, and how `bootctl` clears them. */
const overrides = [
  ['LoaderEntryDefault', 'set-default'],
  ['LoaderEntryOneShot', 'set-oneshot'],
] as const;

/** The EFI variables of the boot loader interface, as the running release sees them. */
export class LoaderVariables {
  readonly #directory: string;
  readonly #timeoutMs: number;

  constructor(activeRoot: string, timeoutMs: number) {
    this.#directory = join(activeRoot, 'sys/firmware/efi/efivars');
    this.#timeoutMs = timeoutMs;
  }

  /** Product and version of the boot loader that started this system; undefined when it did not say. */
  info(): Promise<string | undefined> {
    return this.#read('LoaderInfo');
  }

  /** Clears what would outdo the order of the entries. Errors: BootError `switch_failed`. */
  async clearOverrides(): Promise<void> {
    for (const [name, verb] of overrides) {
      const value = await this.#read(name);
      if (value === undefined || value === '') continue;
      const bootctl = { program: 'bootctl', mend: 'install systemd-boot', timeoutMs: this.#timeoutMs };
      await bootToolOutput(bootctl, [verb, ''], 'switch_failed');
      if ((await this.#read(name)) !== undefined) {
        throw new BootError(
          'switch_failed',
          `the EFI variable ${name}=${value} decides what is booted, and \`bootctl ${verb} ""\` did not clear it; ` +
            'clear it in the firmware, or press d in the menu of systemd-boot',
        );
      }
    }
  }

  async #read(name: string): Promise<string | undefined> {
    const bytes = await readAtMost(join(this.#directory, `${name}-${vendor}`), 4096).catch(() => undefined);
    // Four bytes of attributes, then UTF-16 with its end marked by a zero.
    return bytes?.subarray(4).toString('utf16le').replace(/\0.*$/s, '');
  }
}
