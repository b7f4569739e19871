import type { Category } from '#dashboard/page/words/states.ts';

const paths = {
  ok: 'M3.5 8.5l3 3 6-7',
  updating: 'M8 2.5v8m0 0L4.7 7.2M8 10.5l3.3-3.3M3 13.5h10',
  failed: 'M8 3v6m0 3.2v.1',
  silent: 'M3 3l10 10M5.2 10.8A4 4 0 0 1 8 4c.6 0 1.200.1 1.700.4M12 8a4 4 0 0 1-.6 2.100',
  chevron: 'M6 4l4 4-4 4',
  close: 'M4 4l8 8M12 4l-8 8',
  back: 'M10 3L5 8l5 5',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zm3.600-1.400L14 14',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  help: 'M6 6a2 2 0 1 1 2.700 1.900c-.500.2-.7.6-.7 1.100v.5M8 12v.1',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3l2 1.500',
  rollback: 'M5 3L2 6l3 3M2 6h7a4 4 0 0 1 0 8H6',
  stop: 'M4 4h8v8H4z',
  out: 'M6 2H3v12h3M10 5l3 3-3 3M13 8H6',
} as const;

export type IconName = keyof typeof paths;

/** Decoration: words say the same. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

/** A shape of its own for each state, so that colour is not the only sign. */
export function StateMark({ category }: { readonly category: Category }) {
  return (
    <span class={`mark mark-${category}`} aria-hidden="true">
      <Icon name={category} size={12} />
    </span>
  );
}
