import { BootError } from '#boot/boot-error.ts';
import type { LoaderSetting } from '#boot/boot-loader.ts';
import { otherSlot } from '#boot/slots.ts';
import { runCommand } from '#host/command.ts';
import { readLayout } from './layout.ts';

const timeoutMs = 10_000;
/** The reserved inodes of an ext4 file system and `lost+found`. */
const inodesOfEmpty = 11;

/**
 * On a disk that no client has used: why the partition in the place of the standby slot may be taken for one. It holds
 * nothing, or its name says so. Errors: BootError `startup_failed` when it may be somebody's data, which an update would
 * format, and when the disk is not laid out for slots: it says what to do where it is.
 */
export async function spareSlot(setting: LoaderSetting, signal: AbortSignal): Promise<string> {
  const { booted, devices } = await readLayout(setting, signal);
  const standby = otherSlot(booted);
  const { path, filesystem, partLabel } = devices[standby];
  if (filesystem === undefined) return `${path} is empty`;
  const name = [filesystem.label, partLabel].find((label) => /slot|ota/i.test(label));
  if (name !== undefined) return `${path} is called ${name}`;
  if (filesystem.type.startsWith('ext') && (await holdsNothing(path, signal))) {
    return `the file system on ${path} is empty`;
  }
  throw new BootError(
    'startup_failed',
    `${path}, in the place of ${standby}, holds a file system (${filesystem.type}) that may be somebody's data and ` +
      `would be formatted; write \`bootloader: grub\` if it is a slot, or label it ${standby}`,
  );
}

async function holdsNothing(path: string, signal: AbortSignal): Promise<boolean> {
  const { exitCode, stdout } = await runCommand({ argv: ['dumpe2fs', '-h', path], timeoutMs }, signal);
  const count = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(stdout)?.[1]);
  return exitCode === 0 && count('Inode count') - count('Free inodes') <= inodesOfEmpty;
}
