import { BootError } from '#boot/boot-error.ts';
import type { LoaderSetting } from '#boot/boot-loader.ts';
import { otherSlot } from '#boot/slots.ts';
import { runCommand } from '#host/command.ts';
import { readAtMost } from '#host/durable-file.ts';
import { readLayout } from './layout.ts';

const timeoutMs = 10_000;
const beginningBytes = 1 << 20;
/** The reserved inodes of an ext4 file system and `lost+found`. */
const inodesOfEmpty = 11;

/** `slot_b`, `ota-slot_b`, `SLOTB`, `ota_b`; not `quota`. */
const slotName = /(?<![a-z])(?:ota|slot[ab]?)(?![a-z])/i;

/**
 * On a disk that no client has used: why the partition in the place of the standby slot may be taken for one. It holds
 * nothing, or its name says so. Errors: BootError `startup_failed` when it may be somebody's data, which an update would
 * format, and when the disk is not laid out for slots: it says what to do where it is.
 */
export async function spareSlot(setting: LoaderSetting, signal: AbortSignal): Promise<string> {
  const { booted, devices } = await readLayout(setting, signal);
  const standby = otherSlot(booted);
  const { path, filesystem, otherContent, partLabel } = devices[standby];
  const refused = (what: string): BootError =>
    new BootError('startup_failed', `${path}, in the place of ${standby}, ${what}`);
  if (filesystem === undefined) {
    if (otherContent === undefined && (await beginsEmpty(path))) return `${path} is empty`;
    throw refused(
      otherContent === undefined
        ? 'holds data that is no file system, and would be formatted; write `bootloader: grub` if nobody needs it'
        : `holds no file system but ${otherContent}, and would be formatted; run \`wipefs -a ${path}\` if nobody needs it`,
    );
  }
  const name = [filesystem.label, partLabel].find((label) => slotName.test(label));
  if (name !== undefined) return `${path} is called ${name}`;
  if (filesystem.type.startsWith('ext') && (await holdsNothing(path, signal))) {
    return `the file system on ${path} is empty`;
  }
  throw refused(
    `holds a file system (${filesystem.type}) that may be somebody's data and would be formatted; write ` +
      `\`bootloader: grub\` if it is a slot, or label it ${standby}`,
  );
}

/** Whether there are only zeros where data of any kind begins. Who may not read it has been told of its content. */
async function beginsEmpty(path: string): Promise<boolean> {
  try {
    return (await readAtMost(path, beginningBytes))?.every((byte) => byte === 0) ?? false;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') return true;
    throw error;
  }
}

async function holdsNothing(path: string, signal: AbortSignal): Promise<boolean> {
  const { exitCode, stdout } = await runCommand({ argv: ['dumpe2fs', '-h', path], timeoutMs }, signal);
  const count = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(stdout)?.[1]);
  return exitCode === 0 && count('Inode count') - count('Free inodes') <= inodesOfEmpty;
}
