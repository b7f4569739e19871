import { isBusy } from '#domain/status.ts';
import type { Style } from './render-style.ts';
import { paint } from './render-style.ts';
import { harmless, wrap } from './render-text.ts';
import { renderVehicle } from './render-vehicle.ts';
import { isFailed } from './render-words.ts';
import type { VehicleState } from './vehicle-view.ts';

interface FrameContext {
  readonly host: string;
  /** Unix time in milliseconds. */
  readonly now: number;
}

/** How many ECUs there are, and how many of them do what. */
export function summaryOf(state: VehicleState): string {
  const count = (matches: (row: VehicleState['rows'][number]) => boolean): number =>
    state.rows.filter(matches).length;
  const reported = (row: VehicleState['rows'][number]): boolean => row.presence === 'reported';
  const counts = [
    [count((row) => reported(row) && row.status !== undefined && isBusy(row.status.status)), 'at work'],
    [count((row) => reported(row) && isFailed(row.status)), 'failed'],
    [count((row) => row.presence === 'silent'), 'silent'],
    [count((row) => row.presence === 'unseen'), 'not seen'],
  ] as const;
  const told = counts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  return [`${state.rows.length} ${state.rows.length === 1 ? 'ECU' : 'ECUs'}`, ...told].join(', ');
}

/** One frame of a view that is drawn again and again: where it looks, when, the vehicle. */
export function renderFrame(state: VehicleState, context: FrameContext, style: Style): string[] {
  const time = new Date(context.now).toISOString().slice(11, 19);
  const head = wrap(`${context.host}  ${time}Z  ${summaryOf(state)}`, style.columns);
  const lost =
    state.lost === undefined
      ? []
      : wrap(`reconnecting ... ${harmless(state.lost)}`, style.columns).map((line) =>
          paint(style, 'yellow', line),
        );
  return [...head.map((line) => paint(style, 'bold', line)), ...lost, '', ...renderVehicle(state, style)];
}
