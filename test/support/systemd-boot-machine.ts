import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { LoaderSetting } from '#boot/boot-loader.ts';
import type { SlotId } from '#boot/slots.ts';
import { SystemdBootLoader } from '#boot/systemd-boot/systemd-boot.ts';
import { LoaderVariables } from '#boot/systemd-boot/variables.ts';
import type { TestSetting } from './loader-setting.ts';
import { loaderSetting, slotDevices } from './loader-setting.ts';
import { programsOnPath } from './programs.ts';
import { scratchDirectory } from './scratch-directory.ts';

const vendor = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

/** Clears a variable, unless it lies. */
const bootctl = (efivars: string): string => `
echo "$*" >> calls
[ -e lying ] && exit 0
case "$1" in
  set-default) rm -f ${efivars}/LoaderEntryDefault-${vendor} ;;
  set-oneshot) rm -f ${efivars}/LoaderEntryOneShot-${vendor} ;;
  *) exit 1 ;;
esac
`;

interface Entry {
  readonly file: string;
  readonly id: string;
  readonly left: number | undefined;
  readonly done: number;
  readonly sortKey: string;
  readonly version: string;
  readonly linux: string;
  readonly options: string;
}

/**
 * A machine with systemd-boot: its boot partition, EFI variables, and what systemd-boot 252 does with them at a boot
 * (its sort order, its choice of the default entry, and its counting). A running release lies in `slot_a`.
 */
export class SystemdBootMachine {
  readonly boot: string;
  readonly setting: TestSetting;
  readonly programs: string;
  readonly #efivars: string;

  private constructor(boot: string, efivars: string, setting: TestSetting, programs: string) {
    this.boot = boot;
    this.#efivars = efivars;
    this.setting = setting;
    this.programs = programs;
  }

  static async create(
    t: TestContext,
    changed: Partial<LoaderSetting['options']> = {},
  ): Promise<SystemdBootMachine> {
    const [root, boot] = [await scratchDirectory(t), await scratchDirectory(t)];
    const efivars = join(root, 'sys/firmware/efi/efivars');
    for (const path of [
      efivars,
      join(root, 'proc/sys/kernel'),
      join(root, 'etc/systemd'),
      join(root, 'boot'),
    ]) {
      await mkdir(path, { recursive: true });
    }
    await writeFile(join(root, 'proc/sys/kernel/osrelease'), '6.1.0-1\n');
    await writeFile(join(root, 'proc/cmdline'), 'initrd=\\debian\\initrd root=/dev/sda2 ro console=ttyS0\n');
    await putKernel(root, '6.1.0-1', 'one');
    await mkdir(join(boot, 'loader/entries'), { recursive: true });
    const programs = await programsOnPath(t, { bootctl: bootctl(efivars) });
    const setting = { ...loaderSetting(root, changed), bootDirectory: boot };
    return new SystemdBootMachine(boot, efivars, setting, programs);
  }

  /** The same machine in another process, or with a copy of its boot partition. */
  static at(root: string, boot: string, programs = ''): SystemdBootMachine {
    const setting = { ...loaderSetting(root), bootDirectory: boot };
    return new SystemdBootMachine(boot, join(root, 'sys/firmware/efi/efivars'), setting, programs);
  }

  loader(booted: SlotId): SystemdBootLoader {
    const { setting, boot } = this;
    return new SystemdBootLoader({
      booted,
      devices: slotDevices(),
      status: { kind: 'in_slot', path: 'unused' },
      vehicle: [],
      setting,
      boot,
      variables: new LoaderVariables(setting.activeRoot, setting.options.toolTimeoutMs),
    });
  }

  /** A release for `slot_b`, complete, with its kernel. */
  async release(t: TestContext, version: string, marker: string) {
    const root = await scratchDirectory(t);
    await mkdir(join(root, 'etc/systemd'), { recursive: true });
    await mkdir(join(root, 'boot'));
    await putKernel(root, version, marker);
    const { slot_b: device } = slotDevices();
    return { slot: 'slot_b', root, activeRoot: this.setting.activeRoot, device } as const;
  }

  async entries(): Promise<readonly string[]> {
    return (await readdir(join(this.boot, 'loader/entries'))).sort();
  }

  async write(path: string, text: string): Promise<void> {
    await writeFile(join(this.boot, path), text);
  }

  async setVariable(name: string, value: string): Promise<void> {
    const bytes = Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from(`${value}\0`, 'utf16le')]);
    await writeFile(join(this.#efivars, `${name}-${vendor}`), bytes);
  }

  /** One power-on. Gives the content of the kernel that is started, and its command line. */
  async power(): Promise<{ readonly kernel: string; readonly options: string; readonly id: string }> {
    const entries = (await Promise.all((await this.entries()).map((file) => this.#entry(file))))
      .flatMap((entry) => entry ?? [])
      .sort(inOrder);
    const once = await this.#variable('LoaderEntryOneShot');
    await rm(join(this.#efivars, `LoaderEntryOneShot-${vendor}`), { force: true });
    const conf = await readFile(join(this.boot, 'loader/loader.conf'), 'utf8').catch(() => '');
    const patterns = [once, await this.#variable('LoaderEntryDefault'), /^default\s+(\S+)/m.exec(conf)?.[1]];
    const chosen =
      patterns
        .map((pattern) => entries.find(({ id }) => matches(id, pattern)))
        .find((found) => found !== undefined) ?? entries[0];
    if (chosen === undefined) throw new Error('nothing to boot');
    await this.#count(chosen);
    const kernel = await readFile(join(this.boot, chosen.linux), 'utf8');
    return { kernel, options: chosen.options, id: chosen.id };
  }

  async #entry(file: string): Promise<Entry | undefined> {
    const name = /^([^.].*?)(?:\+(\d+)(?:-(\d+))?)?\.conf$/.exec(file);
    if (name === null) return undefined;
    const text = await readFile(join(this.boot, 'loader/entries', file), 'utf8');
    const field = (key: string): string => new RegExp(`^${key}\\s+(.*)$`, 'm').exec(text)?.[1] ?? '';
    const linux = field('linux');
    if (linux === '') return undefined;
    const [, id = '', left, done] = name;
    return {
      file,
      id: `${id}.conf`,
      left: left === undefined ? undefined : Number(left),
      done: Number(done ?? 0),
      sortKey: field('sort-key'),
      version: field('version'),
      linux,
      options: field('options'),
    };
  }

  async #variable(name: string): Promise<string | undefined> {
    const bytes = await readFile(join(this.#efivars, `${name}-${vendor}`)).catch(() => undefined);
    return bytes?.subarray(4).toString('utf16le').replaceAll('\0', '');
  }

  async #count({ file, left, done }: Entry): Promise<void> {
    if (left === undefined) return;
    const counted = file.replace(/\+.*$/, `+${Math.max(0, left - 1)}-${done + 1}.conf`);
    const directory = join(this.boot, 'loader/entries');
    await rename(join(directory, file), join(directory, counted));
  }
}

async function putKernel(root: string, version: string, marker: string): Promise<void> {
  await writeFile(join(root, 'boot', `vmlinuz-${version}`), `kernel of ${marker}`);
  await writeFile(join(root, 'boot', `initrd.img-${version}`), `initrd of ${marker}`);
}

/** Boot Loader Specification, "Sorting". */
function inOrder(a: Entry, b: Entry): number {
  const bad = Number(a.left === 0) - Number(b.left === 0);
  if (bad !== 0) return bad;
  if ((a.sortKey === '') !== (b.sortKey === '')) return a.sortKey === '' ? 1 : -1;
  if (a.sortKey !== b.sortKey) return a.sortKey < b.sortKey ? -1 : 1;
  const byVersion = Number(b.version) - Number(a.version);
  if (a.sortKey !== '' && byVersion !== 0) return byVersion;
  if (a.id !== b.id) return a.id < b.id ? 1 : -1;
  return (b.left ?? 0) - (a.left ?? 0) || a.done - b.done;
}

function matches(id: string, pattern: string | undefined): boolean {
  if (pattern === undefined || pattern === '') return false;
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 'i').test(id);
}
