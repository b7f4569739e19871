import type { BootControl } from './boot-control.ts';
import type { LastLook, StandbyTree } from './slots.ts';

/**
 * Lets go of a sealed slot that is to be switched to. Writing back and checking a file system takes its time: `lastLook`
 * is asked on both sides of it, and where it throws, the tree can be sealed again.
 */
export async function letGoUnlessHeld(
  control: BootControl,
  tree: StandbyTree,
  lastLook: LastLook | undefined,
): Promise<void> {
  lastLook?.();
  await control.letGo();
  try {
    lastLook?.();
  } catch (error) {
    await control.reopen?.(tree);
    throw error;
  }
}
