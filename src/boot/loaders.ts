import type { LoaderKind } from './boot-loader.ts';
import { command } from './command.ts';
import { uBoot } from './u-boot.ts';

/** Every boot loader for block devices, in the order in which they are looked for: what was configured comes first. */
export const loaders: readonly LoaderKind[] = [command, uBoot];
