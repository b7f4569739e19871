import type { LoaderKind } from './boot-loader.ts';
import { uBoot } from './u-boot.ts';

/** Every boot loader for block devices, in the order in which they are looked for. */
export const loaders: readonly LoaderKind[] = [uBoot];
