import type { RollbackOutlook } from '#update/rollback/look-at-rollback.ts';
import type { Style } from './render-style.ts';
import { paint } from './render-style.ts';
import { table } from './render-table.ts';
import { harmless, wrap } from './render-text.ts';
import { humanBytes, humanCount } from './render-units.ts';

/** What a rollback would do, as lines of text. */
export function renderOutlook({ running, target, refusal, files }: RollbackOutlook, style: Style): string[] {
  const runs = `runs now    ${versionOf(running.version)} in ${running.id}`;
  if (refusal !== undefined) {
    return [
      runs,
      ...wrap(`no rollback: ${harmless(refusal)}`, style.columns).map((line) => paint(style, 'red', line)),
    ];
  }
  const boots = `would boot  ${versionOf(target.version)} in ${target.id}, which is intact`;
  const lines = [runs, paint(style, 'green', boots)];
  if (files.length === 0) return [...lines, 'no file would be carried back'];
  const carried = files.filter(({ change }) => change !== 'removed');
  const bytes = carried.reduce((sum, file) => sum + file.bytes, 0);
  const rows = files.map((file) => [
    { text: file.change, painted: (text: string) => paint(style, colours[file.change], text) },
    { text: humanBytes(file.bytes) },
    { text: harmless(file.path) },
  ]);
  return [
    ...lines,
    `files carried back: ${humanCount(carried.length)} (${humanBytes(bytes)}), removed: ${humanCount(files.length - carried.length)}`,
    '',
    ...table([{ title: '' }, { title: 'SIZE', align: 'right' }, { title: 'FILE' }], rows, {
      paintTitle: (text) => paint(style, 'dim', text),
    }),
  ];
}

const colours = { new: 'green', changed: 'yellow', removed: 'red' } as const;

function versionOf(version: string): string {
  return version === '' ? 'a release without a version' : harmless(version);
}
