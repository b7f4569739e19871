import { bar } from './render-bar.ts';
import { detailLines } from './render-details.ts';
import type { Style } from './render-style.ts';
import { ellipsisOf, paint } from './render-style.ts';
import type { Cell, Column } from './render-table.ts';
import { table } from './render-table.ts';
import { displayWidth, harmless, truncate } from './render-text.ts';
import { humanRate } from './render-units.ts';
import { phaseWord, statusWord } from './render-words.ts';
import type { EcuRow, VehicleState } from './vehicle-view.ts';

const percentWidth = 5;
const barWidths = [24, 16, 10] as const;

type ColumnName = 'ecu' | 'version' | 'status' | 'phase' | 'progress' | 'rate';

/** From the most telling to the narrowest: the first that fits the terminal is taken. */
const layouts: readonly (readonly ColumnName[])[] = [
  ['ecu', 'version', 'status', 'phase', 'progress', 'rate'],
  ['ecu', 'version', 'status', 'progress', 'rate'],
  ['ecu', 'version', 'status', 'progress'],
  ['ecu', 'status', 'progress'],
  ['ecu', 'status'],
];

const titles: Readonly<Record<ColumnName, Column>> = {
  ecu: { title: 'ECU', maxWidth: 32 },
  version: { title: 'VERSION', maxWidth: 40 },
  status: { title: 'STATUS', maxWidth: 30 },
  phase: { title: 'PHASE' },
  progress: { title: 'PROGRESS' },
  rate: { title: 'RATE', align: 'right' },
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

type MakeCell = (row: EcuRow, style: Style, barWidth: number) => Cell;

const cells: Readonly<Record<ColumnName, MakeCell>> = {
  ecu: (row, style) => ({ text: harmless(row.ecuId), painted: (text) => paint(style, 'bold', text) }),
  version: (row, style) => ({ text: versionText(row, style) }),
  status: (row, style) => {
    const word = statusWord(row);
    return { text: word.text, painted: (text) => paint(style, word.paint, text) };
  },
  phase: ({ status }) => ({ text: status?.progress === undefined ? '' : phaseWord(status.progress.phase) }),
  progress: progressCell,
  rate: ({ bytesPerSecond }) => ({ text: bytesPerSecond === undefined ? '' : humanRate(bytesPerSecond) }),
};

interface Shape {
  readonly names: readonly ColumnName[];
  readonly barWidth: number;
}

function tableOf(shape: Shape, state: VehicleState, style: Style): string[] {
  const columns = shape.names.map((name) => titles[name]);
  const rows = state.rows.map((row) => shape.names.map((name) => cells[name](row, style, shape.barWidth)));
  return table(columns, rows, {
    ellipsis: ellipsisOf(style),
    paintTitle: (text) => paint(style, 'dim', text),
  });
}

/** The richest table that is not wider than the terminal; when none is, the narrowest with its lines cut. */
function fittingTable(state: VehicleState, style: Style): string[] {
  const plain = { ...style, colour: false };
  const busy = state.rows.some((row) => row.percent !== undefined);
  for (const layout of layouts) {
    const names = busy ? layout : layout.filter((name) => !['phase', 'progress', 'rate'].includes(name));
    for (const barWidth of barWidths) {
      const lines = tableOf({ names, barWidth }, state, plain);
      if (lines.every((line) => displayWidth(line) <= style.columns)) {
        return style.colour ? tableOf({ names, barWidth }, state, style) : lines;
      }
    }
  }
  const narrowest = tableOf({ names: ['ecu', 'status'], barWidth: 10 }, state, plain);
  return narrowest.map((line) => truncate(line, style.columns, ellipsisOf(style)));
}

/** The vehicle as lines of text: one row per ECU, and below it what is to be said about it. */
export function renderVehicle(state: VehicleState, style: Style): string[] {
  if (state.rows.length === 0) return ['no ECU has reported yet'];
  const [title = '', ...rows] = fittingTable(state, style);
  const blocks = rows.flatMap((line, index) => {
    const row = state.rows[index];
    return row === undefined ? [line] : [line, ...detailLines(row, style)];
  });
  return [title, ...blocks];
}
