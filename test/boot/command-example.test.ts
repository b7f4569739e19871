import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { CommandLoader } from '#boot/command.ts';
import type { SlotId } from '#boot/slots.ts';
import { slotDevices } from '../support/loader-setting.ts';
import { programsOnPath } from '../support/programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const program = join(import.meta.dirname, '../../docs/examples/boot-command.sh');

/** The firmware's variables, one file each, as efibootmgr shows and changes them. */
const efibootmgr = `
while [ $# -gt 0 ]; do
  case "$1" in
    -q) ;;
    -n) echo "$2" > BootNext; shift ;;
    -N) rm BootNext ;;
    -o) echo "$2" > BootOrder; shift ;;
    *) echo "unknown option $1" >&2; exit 1 ;;
  esac
  shift; changed=yes
done
[ -z "\${changed:-}" ] || exit 0
[ ! -f BootNext ] || echo "BootNext: $(cat BootNext)"
echo "BootCurrent: $(cat BootCurrent)"
echo "Timeout: 1 seconds"
echo "BootOrder: $(cat BootOrder)"
cat entries
`;

const entries = [
  'Boot0000* UEFI Shell\tFvVol(x)/FvFile(y)',
  'Boot0003* slot_a\tHD(1,GPT,x,0x800,0x100000)/File(\\EFI\\slot_a\\linux.efi)initrd=\\EFI\\slot_a\\initrd.img',
  'Boot001A* slot_b',
];

/** An ECU whose firmware boots slot_a, and what one power-on boots. */
async function ecu(t: TestContext) {
  const directory = await programsOnPath(t, { efibootmgr });
  const set = (name: string, value: string): Promise<void> => writeFile(join(directory, name), `${value}\n`);
  const get = async (name: string): Promise<string> =>
    (await readFile(join(directory, name), 'utf8').catch(() => '')).trim();
  await set('entries', entries.join('\n'));
  await set('BootCurrent', '0003');
  await set('BootOrder', '0003,0000');
  const bootDirectory = await scratchDirectory(t);
  const boot = async (): Promise<string> => {
    const next = (await get('BootNext')) || (await get('BootOrder')).split(',')[0];
    await rm(join(directory, 'BootNext'), { force: true });
    await set('BootCurrent', next ?? '');
    return { '0003': 'slot_a', '001A': 'slot_b' }[next ?? ''] ?? 'nothing';
  };
  const loader = (booted: SlotId): CommandLoader =>
    new CommandLoader({
      booted,
      devices: slotDevices(),
      status: { kind: 'in_slot', path: 'unused' },
      vehicle: [],
      tool: { program, mend: 'unused', timeoutMs: 5000, env: { OTA_BOOT_DIRECTORY: bootDirectory } },
      reboot: async () => {},
    });
  return { boot, bootDirectory, get, loader, set };
}

describe('the example of an executable for a boot loader of your own', () => {
  it('tries a slot once, falls back, and keeps it when confirmed; other entries stay', async (t) => {
    const { boot, get, loader } = await ecu(t);
    await loader('slot_a').check();
    await loader('slot_a').tryOnce('slot_b');
    assert.deepEqual([await boot(), await boot()], ['slot_b', 'slot_a']);
    await loader('slot_a').tryOnce('slot_b');
    await loader('slot_a').cancelTry();
    assert.equal(await boot(), 'slot_a');
    await loader('slot_a').tryOnce('slot_b');
    assert.equal(await boot(), 'slot_b');
    await loader('slot_b').check();
    await loader('slot_b').tryOnce('slot_b');
    assert.equal(await boot(), 'slot_b');
    await loader('slot_b').makeDefault('slot_b');
    assert.deepEqual([await boot(), await boot()], ['slot_b', 'slot_b']);
    assert.equal(await get('BootOrder'), '001A,0000');
  });

  it('puts the newest kernel of the release, and its initrd, where the entry of its slot loads them', async (t) => {
    const { bootDirectory, loader } = await ecu(t);
    const [root, activeRoot] = [await scratchDirectory(t), await scratchDirectory(t)];
    for (const path of [join(root, 'etc'), join(root, 'boot'), join(activeRoot, 'etc')]) await mkdir(path);
    for (const version of ['6.9.1-1', '6.10.2-1']) {
      await writeFile(join(root, 'boot', `vmlinuz-${version}`), `kernel ${version}`);
      await writeFile(join(root, 'boot', `initrd.img-${version}`), `initrd ${version}`);
    }
    const tree = { slot: 'slot_b', root, activeRoot, device: slotDevices().slot_b } as const;
    await loader('slot_a').install(tree);
    const read = (name: string) => readFile(join(bootDirectory, 'efi/EFI/slot_b', name), 'utf8');
    assert.equal(await read('linux.efi'), 'kernel 6.10.2-1');
    assert.equal(await read('initrd.img'), 'initrd 6.10.2-1');
    await rm(join(root, 'boot/initrd.img-6.10.2-1'));
    await assert.rejects(
      loader('slot_a').install(tree),
      /install .* ended with exit code 1: .*initrd.img-6.10.2-1/,
    );
  });

  it('names what is wrong with the entries of the firmware', async (t) => {
    const { loader, set } = await ecu(t);
    await set('entries', entries.slice(0, 2).join('\n'));
    await assert.rejects(loader('slot_a').tryOnce('slot_b'), /has no boot entry called slot_b; make one/);
    await set('entries', [...entries, 'Boot0005* slot_b'].join('\n'));
    await assert.rejects(loader('slot_a').tryOnce('slot_b'), /has several boot entries called slot_b/);
    await set('BootOrder', '0000,0003');
    await assert.rejects(
      loader('slot_a').check(),
      /in the line `default=` says "UEFI", not slot_a or slot_b/,
    );
  });
});
