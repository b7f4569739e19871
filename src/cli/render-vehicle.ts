import { bar } from './render-bar.ts';
import { detailLines } from './render-details.ts';
import type { Style } from './render-style.ts';
import { ellipsisOf, paint } from './render-style.ts';
import type { Cell, Column } from './render-table.ts';
import { table } from './render-table.ts';
import { displayWidth, harmless, truncate } from './render-text.ts';
import type { Branch } from './render-tree.ts';
import { branchesOf } from './render-tree.ts';
import { humanDuration, humanRate } from './render-units.ts';
import { phaseWord, statusWord } from './render-words.ts';
import type { EcuRow, VehicleState } from './vehicle-view.ts';

const percentWidth = 5;
const barWidths = [24, 16, 10] as const;

type ColumnName = 'ecu' | 'version' | 'slot' | 'status' | 'phase' | 'progress' | 'rate' | 'left';

/** From the most telling to the narrowest: the first that fits the terminal is taken. */
const layouts: readonly (readonly ColumnName[])[] = [
  ['ecu', 'version', 'slot', 'status', 'phase', 'progress', 'rate', 'left'],
  ['ecu', 'version', 'status', 'phase', 'progress', 'rate', 'left'],
  ['ecu', 'version', 'status', 'phase', 'progress', 'rate'],
  ['ecu', 'version', 'status', 'progress', 'rate'],
  ['ecu', 'version', 'status', 'progress'],
  ['ecu', 'status', 'progress'],
  ['ecu', 'status'],
];

const titles: Readonly<Record<ColumnName, Column>> = {
  ecu: { title: 'ECU', maxWidth: 32 },
  version: { title: 'VERSION', maxWidth: 40 },
  slot: { title: 'SLOT', maxWidth: 16 },
  status: { title: 'STATUS', maxWidth: 30 },
  phase: { title: 'PHASE' },
  progress: { title: 'PROGRESS' },
  rate: { title: 'RATE', align: 'right' },
  left: { title: 'LEFT', align: 'right' },
};

function versionText(row: EcuRow, style: Style): string {
  if (row.status === undefined) return '-';
  const running = harmless(row.status.firmwareVersion) || '-';
  const target = row.status.progress?.targetVersion;
  if (target === undefined || target === '') return running;
  return `${running} ${style.unicode ? '→' : '->'} ${harmless(target)}`;
}

function progressCell(row: EcuRow, style: Style, barWidth: number): Cell {
  if (row.percent === undefined) return { text: '' };
  const percent = row.percent;
  return {
    text: ' '.repeat(barWidth + percentWidth),
    painted: () => `${bar(style, percent / 100, barWidth)}${`${percent}%`.padStart(percentWidth)}`,
  };
}

type MakeCell = (row: EcuRow, style: Style, barWidth: number, stem: string) => Cell;

const cells: Readonly<Record<ColumnName, MakeCell>> = {
  ecu: (row, style, _, stem) => ({
    text: stem + harmless(row.ecuId),
    // A name that is cut is cut behind its stem.
    painted: (text) => paint(style, 'dim', stem) + paint(style, 'bold', text.slice(stem.length)),
  }),
  version: (row, style) => ({ text: versionText(row, style) }),
  slot: ({ status }) => ({ text: harmless(status?.slot ?? '') }),
  status: (row, style) => {
    const word = statusWord(row);
    return { text: word.text, painted: (text) => paint(style, word.paint, text) };
  },
  phase: ({ status }) => ({ text: status?.progress === undefined ? '' : phaseWord(status.progress.phase) }),
  progress: progressCell,
  rate: ({ bytesPerSecond }) => ({ text: bytesPerSecond === undefined ? '' : humanRate(bytesPerSecond) }),
  left: ({ remainingMs }) => ({ text: remainingMs === undefined ? '' : humanDuration(remainingMs) }),
};

interface Shape {
  readonly names: readonly ColumnName[];
  readonly barWidth: number;
}

function tableOf(shape: Shape, branches: readonly Branch[], style: Style): string[] {
  const columns = shape.names.map((name) => titles[name]);
  const rows = branches.map(({ row, stem }) =>
    shape.names.map((name) => cells[name](row, style, shape.barWidth, stem)),
  );
  return table(columns, rows, {
    ellipsis: ellipsisOf(style),
    paintTitle: (text) => paint(style, 'dim', text),
  });
}

/** Columns that only ECUs at work have. */
const workColumns: readonly ColumnName[] = ['phase', 'progress', 'rate', 'left'];

/** Columns in which no ECU has anything. */
function emptyColumns(branches: readonly Branch[]): readonly ColumnName[] {
  const lacks = (of: (row: EcuRow) => unknown): boolean => branches.every(({ row }) => of(row) === undefined);
  return [
    ...(lacks(({ status }) => status?.slot) ? (['slot'] as const) : []),
    ...(lacks(({ percent }) => percent) ? workColumns : []),
    ...(lacks(({ remainingMs }) => remainingMs) ? (['left'] as const) : []),
  ];
}

/** The richest table that is not wider than the terminal; when none is, the narrowest with its lines cut. */
function fittingTable(branches: readonly Branch[], style: Style, without: readonly ColumnName[]): string[] {
  const plain = { ...style, colour: false };
  const empty = emptyColumns(branches);
  for (const layout of layouts) {
    const names = layout.filter((name) => !empty.includes(name) && !without.includes(name));
    for (const barWidth of barWidths) {
      const lines = tableOf({ names, barWidth }, branches, plain);
      if (lines.every((line) => displayWidth(line) <= style.columns)) {
        return style.colour ? tableOf({ names, barWidth }, branches, style) : lines;
      }
    }
  }
  const narrowest = tableOf({ names: ['ecu', 'status'], barWidth: 10 }, branches, plain);
  return narrowest.map((line) => truncate(line, style.columns, ellipsisOf(style)));
}

/** What is said about one ECU: its row, and the lines below it. */
export interface EcuBlock {
  readonly ecuId: string;
  readonly lines: readonly string[];
}

interface VehicleBlocks {
  /** The titles of the columns. */
  readonly title: string;
  readonly blocks: readonly EcuBlock[];
}

/** The vehicle as one block of lines per ECU, with `details` below its row. */
export function vehicleBlocks(
  rows: readonly EcuRow[],
  style: Style,
  details: (row: EcuRow, style: Style) => readonly string[],
  without: readonly ColumnName[] = [],
): VehicleBlocks {
  const branches = branchesOf(rows, style);
  const [title = '', ...lines] = fittingTable(branches, style, without);
  const blocks = branches.map(({ row, below }, index) => {
    const beside = below.trim() === '' ? below.slice(2) : below;
    const room = { ...style, columns: Math.max(12, style.columns - beside.length) };
    const more = details(row, room).map((line) => paint(style, 'dim', beside) + line);
    return { ecuId: row.ecuId, lines: [lines[index] ?? '', ...more] };
  });
  return { title, blocks };
}

/** The vehicle as lines of text: one row per ECU, and below it what is to be said about it. */
export function renderVehicle(state: VehicleState, style: Style): string[] {
  if (state.rows.length === 0) return ['no ECU has reported yet'];
  const { title, blocks } = vehicleBlocks(state.rows, style, detailLines);
  return [title, ...blocks.flatMap(({ lines }) => lines)];
}
