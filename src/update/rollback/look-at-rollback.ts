import { BootError } from '#boot/boot-error.ts';
import type { SlotContents, Slots } from '#boot/slots.ts';
import type { CarryBackChange } from './preview.ts';
import { previewCarryBack } from './preview.ts';

/** What a rollback would do now. */
export interface RollbackOutlook {
  readonly running: SlotContents;
  /** What the other slot holds, as far as it can be told. */
  readonly target: SlotContents;
  /** Why a rollback would be refused; undefined when the target is intact. */
  readonly refusal: string | undefined;
  /** Files that would be carried back; none for a rollback that would be refused. */
  readonly files: readonly CarryBackChange[];
}

/** Looks at both slots and writes nothing. Errors: BootError, when they cannot be read; those of the file system. */
export async function lookAtRollback(
  slots: Pick<Slots, 'activeRoot' | 'current' | 'standby' | 'rollbackTarget' | 'withStandbyRoot'>,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<RollbackOutlook> {
  const refusal = await refusalOf(slots);
  const [running, target] = [await slots.current(), await slots.standby()];
  if (refusal !== undefined || paths.length === 0) return { running, target, refusal, files: [] };
  const { activeRoot } = slots;
  const files = await slots.withStandbyRoot('read', (root) =>
    previewCarryBack({ paths, activeRoot, root }, signal),
  );
  return { running, target, refusal, files };
}

async function refusalOf(slots: Pick<Slots, 'rollbackTarget'>): Promise<string | undefined> {
  try {
    await slots.rollbackTarget();
    return undefined;
  } catch (error) {
    if (error instanceof BootError && error.code === 'rollback_refused') return error.message;
    throw error;
  }
}
