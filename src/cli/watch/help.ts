import type { Style } from '#cli/render-style.ts';
import { ellipsisOf, paint } from '#cli/render-style.ts';
import { truncate } from '#cli/render-text.ts';

const keys = [
  ['up, down, k, j', 'scroll by a line'],
  ['PgUp, PgDn, b, space', 'scroll by a page'],
  ['Home, End, g, G', 'go to the first or the last ECU'],
  ['f', 'only ECUs that are at work or in trouble, or all'],
  ['d', 'details: as many as fit, all, only what is wrong, one line each'],
  ['Ctrl-L', 'draw everything again'],
  ['?, h', 'this help'],
  ['q, Ctrl-C', 'quit; running updates go on'],
] as const;

/** What the keys of the view do. */
export function helpLines(style: Style): string[] {
  const width = Math.max(...keys.map(([key]) => key.length));
  const cut = (line: string): string => truncate(line, style.columns, ellipsisOf(style));
  return [
    paint(style, 'bold', cut('Keys')),
    ...keys.map(([key, does]) => cut(`  ${key.padEnd(width)}  ${does}`)),
    '',
    ...[
      'PROGRESS is the share of bytes in place, from whatever source; it reaches the end when the',
      'release is confirmed. LEFT is the time until every file is in place, as it goes now.',
    ].map(cut),
  ];
}
