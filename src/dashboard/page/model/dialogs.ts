import { signal } from '@preact/signals';

/** What is asked right now. */
export type Dialog =
  | { readonly kind: 'update'; readonly ecuIds: readonly string[] }
  | { readonly kind: 'rollback'; readonly ecuIds: readonly string[] }
  | { readonly kind: 'abort'; readonly ecuIds: readonly string[] }
  | { readonly kind: 'help' };

export const dialog = signal<Dialog | undefined>(undefined);

export function closeDialog(): void {
  dialog.value = undefined;
}
