import type { LoaderKind } from './boot-loader.ts';
import { command } from './command.ts';
import { grub } from './grub/grub.ts';
import { jetsonCboot, jetsonUefi } from './jetson/jetson.ts';
import { rpi } from './rpi/rpi.ts';
import { systemdBoot } from './systemd-boot/systemd-boot.ts';
import { uBoot } from './u-boot.ts';

/** Every boot loader for block devices, in the order in which they are looked for: what was configured comes first. */
export const loaders: readonly LoaderKind[] = [
  command,
  uBoot,
  jetsonCboot,
  jetsonUefi,
  rpi,
  systemdBoot,
  grub,
];
