import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { slotIds } from '#boot/slots.ts';

/**
 * The firmware of a Raspberry Pi over a directory as its boot partition: reads `tryboot.txt` when the last reboot asked
 * for it, and forgets that before anything starts.
 */
export class RpiFirmware {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Lays a boot partition out as existing vehicles have it, with slot_a as the default. */
  static async laidOut(directory: string): Promise<RpiFirmware> {
    await mkdir(join(directory, 'overlays'), { recursive: true });
    for (const slot of slotIds) {
      const config =
        `[all]\nkernel=vmlinuz_${slot}\ninitramfs initrd.img_${slot} followkernel\ncmdline=cmdline.txt_${slot}\n` +
        'dtoverlay=vc4-kms-v3d\n';
      await writeFile(join(directory, `config.txt_${slot}`), config);
      await writeFile(
        join(directory, `cmdline.txt_${slot}`),
        `console=tty1 root=LABEL=${slot} rootfstype=ext4 rootwait fixrtc\n`,
      );
      await writeFile(join(directory, `vmlinuz_${slot}`), `kernel of the release in ${slot}`);
      await writeFile(join(directory, `initrd.img_${slot}`), `initrd of the release in ${slot}`);
    }
    await writeFile(join(directory, 'config.txt'), await readFile(join(directory, 'config.txt_slot_a')));
    await writeFile(join(directory, 'overlays/README'), 'overlays');
    return new RpiFirmware(directory);
  }

  /** What comes up after a reboot with these arguments; none is a power cycle. Kernel, and what it mounts as root. */
  async boot(args: readonly string[] = []): Promise<{ readonly kernel: string; readonly root: string }> {
    const trying = args.includes('0 tryboot') && (await this.#has('tryboot.txt'));
    const config = await this.#read(trying ? 'tryboot.txt' : 'config.txt');
    const cmdline = await this.#read(/^cmdline=(.*)$/m.exec(config)?.[1] ?? 'cmdline.txt');
    return {
      kernel: await this.#read(/^kernel=(.*)$/m.exec(config)?.[1] ?? 'kernel8.img'),
      root: /(?:^|\s)root=(\S+)/.exec(cmdline.split('\n')[0] ?? '')?.[1] ?? '',
    };
  }

  #read(name: string): Promise<string> {
    return readFile(join(this.#directory, name), 'latin1');
  }

  #has(name: string): Promise<boolean> {
    return access(join(this.#directory, name)).then(
      () => true,
      () => false,
    );
  }
}
