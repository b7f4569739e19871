import { signal } from '@preact/signals';
import { UpdatePhase } from '#gen/ota/console/v1/types_pb.ts';
import type { EcuView } from './job.ts';

/** Transfer over time of one ECU, or of the vehicle. Times are seconds since 1970, as plots take them. */
export interface Transfer {
  readonly times: number[];
  /** Bytes per second that are placed. */
  readonly rates: number[];
  /** Bytes placed so far. */
  readonly placed: number[];
  /** Bytes received over the network so far. */
  readonly wire: number[];
}

/** A phase of an update of one ECU, as this page saw it. */
export interface PhaseSpan {
  readonly ecuId: string;
  readonly phase: UpdatePhase;
  /** Seconds since 1970. */
  readonly from: number;
  to: number | undefined;
}

/** Points that are kept of each; then every other one is dropped. */
const maxPoints = 1200;
const maxSpans = 400;

const transfers = new Map<string, Transfer>();
export const spans: PhaseSpan[] = [];

/** Under this name: the whole vehicle. No ECU has an empty id. */
export const wholeVehicle = '';

/** Grows when there is more to draw, at most four times a second. */
export const drawn = signal(0);
let drawing: ReturnType<typeof setTimeout> | undefined;

export function transferOf(ecuId: string): Transfer {
  const known = transfers.get(ecuId);
  if (known !== undefined) return known;
  const made: Transfer = { times: [], rates: [], placed: [], wire: [] };
  transfers.set(ecuId, made);
  return made;
}

/** Remembers what an ECU tells now. `ms` is the vehicle's time. */
export function remember(view: EcuView, before: EcuView | undefined, ms: number): void {
  const { ecu, job } = view;
  const time = ms / 1000;
  const phase = job?.outcome === 'running' ? (job.progress?.phase ?? UpdatePhase.UNSPECIFIED) : undefined;
  markPhase(ecu.ecuId, phase, time);
  const wasRunning = before?.job?.outcome === 'running';
  const progress = job?.progress;
  if (progress === undefined || (job?.outcome !== 'running' && !wasRunning)) return;
  if (job?.outcome === 'running' && before?.job?.key !== job.key) clear(transferOf(ecu.ecuId));
  const isRunning = job?.outcome === 'running' && view.category === 'updating';
  add(
    transferOf(ecu.ecuId),
    time,
    isRunning ? progress.bytesPerSecond : 0,
    placedOf(view),
    Number(progress.wireBytes),
  );
  redraw();
}

/** Remembers the sums of all ECUs: once a second while anything runs. */
export function rememberSums(views: readonly EcuView[], ms: number): void {
  const jobs = views.filter(({ job }) => job?.progress !== undefined);
  if (jobs.length === 0) return;
  const sum = (of: (view: EcuView) => number): number => jobs.reduce((all, view) => all + of(view), 0);
  const rate = sum((view) =>
    view.job?.outcome === 'running' && view.category === 'updating'
      ? (view.job.progress?.bytesPerSecond ?? 0)
      : 0,
  );
  const whole = transferOf(wholeVehicle);
  const isOver = jobs.every(({ job }) => job?.outcome !== 'running');
  if (isOver && whole.rates.at(-1) === 0) return;
  add(
    whole,
    ms / 1000,
    rate,
    sum(placedOf),
    sum((view) => Number(view.job?.progress?.wireBytes ?? 0n)),
  );
  redraw();
}

function placedOf({ job }: EcuView): number {
  const { copy, link, download } = job?.progress ?? {};
  return Number((copy?.bytes ?? 0n) + (link?.bytes ?? 0n) + (download?.bytes ?? 0n));
}

function markPhase(ecuId: string, phase: UpdatePhase | undefined, time: number): void {
  const last = spans.findLast((span) => span.ecuId === ecuId);
  if (last !== undefined && last.to === undefined) {
    if (last.phase === phase) return;
    last.to = time;
  }
  if (phase === undefined || phase === UpdatePhase.UNSPECIFIED) return;
  spans.push({ ecuId, phase, from: time, to: undefined });
  if (spans.length > maxSpans) spans.splice(0, spans.length - maxSpans);
  redraw();
}

function add(transfer: Transfer, time: number, rate: number, placed: number, wire: number): void {
  const { times, rates } = transfer;
  const last = times.at(-1);
  // Plots need times that grow.
  if (last !== undefined && time <= last) return;
  times.push(time);
  rates.push(rate);
  transfer.placed.push(placed);
  transfer.wire.push(wire);
  if (times.length > maxPoints) thin(transfer);
}

function thin({ times, rates, placed, wire }: Transfer): void {
  for (const list of [times, rates, placed, wire]) {
    const half = list.filter((_, index) => index % 2 === 0);
    list.splice(0, list.length, ...half);
  }
}

function clear({ times, rates, placed, wire }: Transfer): void {
  for (const list of [times, rates, placed, wire]) list.length = 0;
}

function redraw(): void {
  drawing ??= setTimeout(() => {
    drawing = undefined;
    drawn.value++;
  }, 250);
}
