import { computed, signal } from '@preact/signals';
import type { Category } from '#dashboard/page/words/states.ts';
import { type Branch, summary, tree, viewSignal } from './vehicle.ts';

/** Only ECUs in this state are shown. */
export const only = signal<Category | undefined>(undefined);
/** Only ECUs whose name or version has this text are shown. */
export const looked = signal('');
export const closed = signal<ReadonlySet<string>>(new Set());

/** Whether something is left out. */
export const isFiltered = computed(() => only.value !== undefined || looked.value.trim() !== '');

/** The lines that are shown, in order. */
export const lines = computed<readonly Branch[]>(() => {
  const branches = tree.value;
  if (isFiltered.value) {
    // Whoever changes state joins or leaves.
    if (only.value !== undefined) void summary.value;
    return branches.filter(isWanted);
  }
  const hidden = new Set<string>();
  return branches.filter(({ ecuId, parentId }) => {
    const isHidden = parentId !== undefined && (hidden.has(parentId) || closed.value.has(parentId));
    if (isHidden) hidden.add(ecuId);
    return !isHidden;
  });
});

export function setClosed(ecuId: string, isClosed: boolean): void {
  const next = new Set(closed.peek());
  if (isClosed) next.add(ecuId);
  else next.delete(ecuId);
  closed.value = next;
}

function isWanted({ ecuId }: Branch): boolean {
  const view = viewSignal(ecuId)?.peek();
  if (view === undefined) return false;
  const text = looked.value.trim().toLowerCase();
  const words = `${ecuId} ${view.ecu.firmwareVersion} ${view.job?.targetVersion ?? ''}`.toLowerCase();
  return (only.value === undefined || only.value === view.category) && words.includes(text);
}
