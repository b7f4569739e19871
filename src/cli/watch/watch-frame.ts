import type { VehicleEvent } from '#api/vehicle-event.ts';
import { eventLines } from '#cli/render-event.ts';
import { summaryOf } from '#cli/render-frame.ts';
import type { Style } from '#cli/render-style.ts';
import { ellipsisOf, paint } from '#cli/render-style.ts';
import { displayWidth, harmless, truncate } from '#cli/render-text.ts';
import { humanDuration } from '#cli/render-units.ts';
import type { EcuBlock } from '#cli/render-vehicle.ts';
import { vehicleBlocks } from '#cli/render-vehicle.ts';
import { isFailed } from '#cli/render-words.ts';
import type { EcuRow, VehicleState } from '#cli/vehicle-view.ts';
import { isBusy } from '#domain/status.ts';
import { helpLines } from './help.ts';
import type { DetailLevel } from './watch-details.ts';
import { watchDetails } from './watch-details.ts';

/** Where a person has scrolled to: a line of an ECU's block. It stays in sight when others grow. */
export interface Anchor {
  readonly ecuId: string;
  readonly line: number;
}

/** Everything that a frame shows. */
export interface WatchModel {
  readonly host: string;
  /** Unix time in milliseconds. */
  readonly now: number;
  /** Undefined until the first answer, or the first failure to get one. */
  readonly state: VehicleState | undefined;
  /** Since when the daemon does not answer: Unix time in milliseconds. */
  readonly lostSince: number | undefined;
  /** Newest last. */
  readonly events: readonly VehicleEvent[];
  /** Why there are no events, where the caller wanted them; empty otherwise. */
  readonly eventsProblem: string;
  /** `auto`: as much as fits the terminal. */
  readonly detail: DetailLevel | 'auto';
  /** Only ECUs that are at work or in trouble. */
  readonly onlyActive: boolean;
  readonly showHelp: boolean;
  /** Undefined at the top. */
  readonly anchor: Anchor | undefined;
}

export interface WatchFrame {
  readonly lines: readonly string[];
  /** Lines that can be scrolled through, how many of them are in sight, and which is the first. */
  readonly scroll: { readonly total: number; readonly room: number; readonly first: number };
  /** The anchor that keeps line `first` in its place. */
  readonly anchorAt: (first: number) => Anchor | undefined;
}

interface Size {
  readonly columns: number;
  readonly rows: number;
}

const keysHelp = 'arrows scroll  f only active  d details  ? help  q quit';

/** One frame of the view that is left open: exactly as high as the terminal, no line wider than it. */
export function watchFrame(model: WatchModel, size: Size, style: Style): WatchFrame {
  const { rows } = size;
  const head = headLines(model, style);
  const foot = rows >= 6 ? 1 : 0;
  const least = rows >= 16 ? leastEventLines(model, rows) : 0;
  const most = Math.max(1, rows - head.length - foot);
  const { title, blocks } = body(model, most - least - 1, style);
  const titles = title === undefined ? [] : [model.showHelp ? '' : title];
  const starts = startsOf(blocks);
  const all = model.showHelp ? helpLines(style) : blocks.flatMap(({ lines }) => lines);
  // What the ECUs leave free is for events.
  const free = most - titles.length - all.length - 1;
  const events = least === 0 ? [] : eventPane(model, Math.max(least, free), style);
  const room = Math.max(0, most - titles.length - events.length);
  const first = model.showHelp ? 0 : Math.max(0, Math.min(placeOf(model.anchor, starts), all.length - room));
  const shown = all.slice(first, first + room);
  const padding = Array.from({ length: Math.max(0, room - shown.length) }, () => '');
  const scroll = { total: all.length, room, first };
  const lines = [...head, ...titles, ...shown, ...padding, ...events];
  if (foot > 0) lines.push(footLine(model, scroll, style));
  return {
    lines: lines.slice(0, rows),
    scroll,
    anchorAt: (line) => {
      const block = starts.findLast(({ start }) => start <= line);
      return block === undefined || line <= 0 ? undefined : { ecuId: block.ecuId, line: line - block.start };
    },
  };
}

/** Left and right ends of one line; the right one goes where there is no room for both. */
function spread(left: string, right: string, style: Style): string {
  const room = style.columns - displayWidth(left) - displayWidth(right);
  return room < 2 ? truncate(left, style.columns, ellipsisOf(style)) : left + ' '.repeat(room) + right;
}

/** Names of ECUs, as many as are read at a glance. */
function named(rows: readonly EcuRow[]): string {
  const names = rows.slice(0, 3).map(({ ecuId }) => harmless(ecuId));
  return names.join(', ') + (rows.length > names.length ? ` and ${rows.length - names.length} more` : '');
}

function headLines({ host, now, state, lostSince }: WatchModel, style: Style): string[] {
  const time = `${new Date(now).toISOString().slice(11, 19)}Z`;
  const summary = state === undefined ? 'asking ...' : summaryOf(state);
  const cut = (line: string): string => truncate(line, style.columns, ellipsisOf(style));
  const right = [`${host}  ${time}`, time].find(
    (text) => displayWidth(summary) + displayWidth(text) + 2 <= style.columns,
  );
  const first = paint(style, 'bold', spread(summary, right ?? '', style));
  const rows = state?.rows ?? [];
  const failed = rows.filter(({ presence, status }) => presence === 'reported' && isFailed(status));
  const silent = rows.filter(({ presence }) => presence === 'silent');
  const lines = [first];
  if (state?.lost !== undefined) {
    const since = lostSince === undefined ? '' : ` for ${humanDuration(now - lostSince)}`;
    lines.push(paint(style, 'yellow', cut(`reconnecting${since}: ${harmless(state.lost)}`)));
    return [...lines, ''];
  }
  if (failed.length > 0) lines.push(paint(style, 'red', cut(`failed: ${named(failed)}`)));
  if (silent.length > 0) lines.push(paint(style, 'yellow', cut(`silent: ${named(silent)}`)));
  return [...lines, ''];
}

/** Whether an ECU is at work, or something is wrong with it. */
function isActive({ presence, status }: EcuRow): boolean {
  if (presence !== 'reported' || status === undefined) return true;
  return isBusy(status.status) || isFailed(status) || status.waitingFor.length > 0;
}

interface Body {
  /** Titles of the columns; undefined when there is no table. */
  readonly title: string | undefined;
  readonly blocks: readonly EcuBlock[];
}

function body({ state, now, detail, onlyActive }: WatchModel, room: number, style: Style): Body {
  if (state === undefined) return { title: undefined, blocks: [] };
  const rows = onlyActive ? state.rows.filter(isActive) : state.rows;
  if (rows.length === 0) {
    const text = onlyActive ? 'no ECU is at work or in trouble (f shows all)' : 'no ECU has reported yet';
    return { title: undefined, blocks: [{ ecuId: '', lines: [truncate(text, style.columns, '')] }] };
  }
  const isLost = state.lost !== undefined;
  const at = (level: DetailLevel): Body =>
    vehicleBlocks(rows, style, watchDetails(level, now, isLost), level === 'full' ? ['phase'] : []);
  if (detail !== 'auto') return at(detail);
  const full = at('full');
  const height = full.blocks.reduce((sum, { lines }) => sum + lines.length, 0);
  return height <= room ? full : at('brief');
}

interface Start {
  readonly ecuId: string;
  readonly start: number;
}

function startsOf(blocks: readonly EcuBlock[]): Start[] {
  let start = 0;
  return blocks.map(({ ecuId, lines }) => {
    const at = { ecuId, start };
    start += lines.length;
    return at;
  });
}

function placeOf(anchor: Anchor | undefined, starts: readonly Start[]): number {
  if (anchor === undefined) return 0;
  const start = starts.find(({ ecuId }) => ecuId === anchor.ecuId)?.start;
  return start === undefined ? 0 : start + anchor.line;
}

/** Lines that events have for themselves, with the rule above them; none where none are known. */
function leastEventLines({ events, eventsProblem }: WatchModel, rows: number): number {
  if (events.length === 0) return eventsProblem === '' ? 0 : 2;
  return 1 + Math.min(events.length, 8, Math.floor(rows / 4));
}

/** The last events, under a line that sets them apart, on at most so many lines. */
function eventPane({ events, eventsProblem, now }: WatchModel, most: number, style: Style): string[] {
  const title = `${style.unicode ? '──' : '--'} Events `;
  const rule = (style.unicode ? '─' : '-').repeat(Math.max(0, style.columns - displayWidth(title)));
  const head = paint(style, 'dim', truncate(title + rule, style.columns, ''));
  if (events.length === 0) {
    return [head, paint(style, 'dim', truncate(harmless(eventsProblem), style.columns, ellipsisOf(style)))];
  }
  return [head, ...eventLines(events.slice(1 - most), now, style, true)];
}

function footLine(model: WatchModel, scroll: WatchFrame['scroll'], style: Style): string {
  const { total, room, first } = scroll;
  const place = total > room ? `lines ${first + 1}-${Math.min(total, first + room)} of ${total}` : '';
  const set = [
    place,
    model.onlyActive ? 'only active' : '',
    model.detail === 'auto' ? '' : `details: ${model.detail}`,
  ];
  const right = set.filter((text) => text !== '').join('  ');
  const left = model.showHelp ? 'any key goes back' : keysHelp;
  // Where both do not fit, the place is worth more: keys are in the help.
  const both = displayWidth(left) + displayWidth(right) + 2 <= style.columns;
  const line = both ? spread(left, right, style) : right === '' ? left : right;
  return paint(style, 'dim', truncate(line, style.columns, ellipsisOf(style)));
}
