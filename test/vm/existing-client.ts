import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Firmware } from './disk.ts';

/** How the running release is booted. */
export interface Booted {
  readonly kernel: string;
  /** Words of its command line, each quoted for GRUB where it has to be. */
  readonly words: string;
}

interface Left {
  readonly status: string;
  readonly version: string;
  readonly slotInUse: string;
}

/**
 * Turns a boot directory with one kernel into that of a disk which an existing client has laid out and used, and from whose
 * slot_a it runs release A: under BIOS as clients before 3.14 leave it, under EFI as those since.
 */
export async function leftByExistingClient(boot: string, firmware: Firmware, booted: Booted): Promise<void> {
  await mkdir(join(boot, 'grub'), { recursive: true });
  if (firmware === 'bios') await partitionFolders(boot, booted);
  else await slotFolders(boot, booted);
}

/** Folders named after partitions of a disk that was once called sda, and links to the active one. */
async function partitionFolders(boot: string, { kernel, words }: Booted): Promise<void> {
  const folder = join(boot, 'ota-partition.sda2');
  await putStatus(folder, { status: 'SUCCESS', version: 'A', slotInUse: 'sda2' });
  await putStatus(join(boot, 'ota-partition.sda3'), { status: 'FAILURE', version: '0', slotInUse: 'sda2' });
  await moveKernel(boot, folder);
  await symlink('ota-partition.sda2', join(boot, 'ota-partition'));
  for (const [kind, file] of [
    ['vmlinuz', `vmlinuz-${kernel}`],
    ['initrd.img', `initrd.img-${kernel}`],
  ] as const) {
    await symlink(file, join(folder, `${kind}-ota`));
    await symlink(`ota-partition/${kind}-ota`, join(boot, `${kind}-ota`));
    await symlink(`ota-partition.sda3/${kind}-ota`, join(boot, `${kind}-ota.standby`));
  }
  const entry = (id: string, suffix: string, slot: string): string =>
    menuEntry(id, `/vmlinuz-ota${suffix} root=LABEL=${slot} ro ${words}`, `/initrd.img-ota${suffix}`);
  await writeFile(
    join(folder, 'grub.cfg'),
    header('0') +
      entry('gnulinux-ota-advanced', '', 'slot_a') +
      entry('gnulinux-ota.standby-advanced', '.standby', 'slot_b'),
  );
  await symlink('../ota-partition/grub.cfg', join(boot, 'grub/grub.cfg'));
  await writeFile(join(boot, 'grub/grubenv'), environmentBlock('next_entry=\n'));
}

/** A folder and a menu entry for each slot. */
async function slotFolders(boot: string, { kernel, words }: Booted): Promise<void> {
  for (const slot of ['slot_a', 'slot_b']) {
    const folder = join(boot, `ota-${slot}`);
    const isActive = slot === 'slot_a';
    await putStatus(folder, {
      status: isActive ? 'SUCCESS' : 'FAILURE',
      version: isActive ? 'A' : '0',
      slotInUse: 'ota-slot_a',
    });
    if (isActive) await moveKernel(boot, folder);
    const linux = `/ota-${slot}/vmlinuz-${kernel} root=LABEL=${slot} ro ${words}`;
    const entry = menuEntry(`ota-${slot}`, linux, `/ota-${slot}/initrd.img-${kernel}`);
    await writeFile(join(boot, `grub/ota-${slot}.cfg`), entry);
  }
  const hook = ['slot_a', 'slot_b'].map((slot) => `source "\${prefix}/ota-${slot}.cfg"\n`).join('');
  await writeFile(join(boot, 'grub/grub.cfg'), header('${saved_entry}') + hook);
  await writeFile(join(boot, 'grub/grubenv'), environmentBlock('saved_entry=ota-slot_a\n'));
}

async function putStatus(folder: string, { status, version, slotInUse }: Left): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'status'), status);
  await writeFile(join(folder, 'version'), version);
  await writeFile(join(folder, 'slot_in_use'), slotInUse);
}

async function moveKernel(boot: string, folder: string): Promise<void> {
  for (const name of await readdir(boot)) {
    if (/^(?:vmlinuz|initrd\.img)-/.test(name)) await rename(join(boot, name), join(folder, name));
  }
}

function header(standard: string): string {
  return `if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "\${next_entry}" ] ; then
  set default="\${next_entry}"
  set next_entry=
  save_env next_entry
else
  set default="${standard}"
fi
menuentry_id_option="--id"
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=0
`;
}

function menuEntry(id: string, linux: string, initrd: string): string {
  return `menuentry '${id}' --class os $menuentry_id_option '${id}' {
\tlinux\t${linux}
\tinitrd\t${initrd}
}
`;
}

function environmentBlock(variables: string): string {
  return `# GRUB Environment Block\n${variables}`.padEnd(1024, '#');
}
