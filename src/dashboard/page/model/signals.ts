import { effect, signal } from '@preact/signals';
import { problemOf } from '#dashboard/page/words/problems.ts';
import { timeMs } from '#dashboard/page/words/units.ts';
import type { Signal as VehicleSignal } from '#gen/ota/console/v1/types_pb.ts';
import { vehicleNow } from './clock.ts';
import { read, write } from './preferences.ts';
import { persistently } from './retry.ts';
import { client } from './session.ts';

/** Plots that are looked at together; more are no help. */
export const maxChosen = 8;
const maxPoints = 2400;

/** One chosen signal over time. Texts are numbered in the order that they came in. */
export interface Course {
  readonly path: string;
  unit: string;
  isStepped: boolean;
  readonly labels: string[];
  /** Seconds since 1970. */
  readonly times: number[];
  readonly values: number[];
}

/** Paths that are plotted; remembered. */
export const chosen = signal<readonly string[]>(remembered());
/** Grows when there is more to draw. */
export const plotted = signal(0);
export const signalsProblem = signal<string | undefined>(undefined);

const courses = new Map<string, Course>();

effect(() => write('signals', JSON.stringify(chosen.value)));

function remembered(): string[] {
  try {
    const list: unknown = JSON.parse(read('signals') ?? '[]');
    return Array.isArray(list) ? list.filter((path) => typeof path === 'string').slice(0, maxChosen) : [];
  } catch {
    return [];
  }
}

export function toggle(path: string): void {
  const now = chosen.peek();
  if (now.includes(path)) {
    chosen.value = now.filter((other) => other !== path);
    courses.delete(path);
  } else if (now.length < maxChosen) chosen.value = [...now, path];
}

export function courseOf(path: string): Course | undefined {
  return courses.get(path);
}

/** Follows the chosen signals until `signal` fires. */
export function followSignals(signal: AbortSignal): void {
  let over = new AbortController();
  const stop = effect(() => {
    const paths = chosen.value;
    over.abort();
    over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    if (paths.length > 0) void follow(paths, both);
  });
  signal.addEventListener('abort', () => stop(), { once: true });
}

async function follow(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const tell = (error: unknown): void => {
    signalsProblem.value = problemOf(error);
  };
  await persistently(
    {
      attempt: async (works) => {
        for await (const { signals } of client.watchSignals(
          { paths: [...paths], intervalMs: 250 },
          { signal },
        )) {
          works();
          signalsProblem.value = undefined;
          take(signals);
        }
      },
      onWait: tell,
      onEnd: tell,
    },
    signal,
  );
}

function take(signals: readonly VehicleSignal[]): void {
  const now = vehicleNow() / 1000;
  for (const told of signals) {
    const course = courses.get(told.path) ?? begin(told);
    const value = numberOf(told, course);
    if (value === undefined) continue;
    // A value of an hour ago holds from when this page looks: the axis is when it was seen.
    const time = Math.max((timeMs(told.time) ?? 0) / 1000, course.times.length === 0 ? now : 0);
    const last = course.times.at(-1) ?? -1;
    if (time <= last) {
      course.values[course.values.length - 1] = value;
      continue;
    }
    course.times.push(time);
    course.values.push(value);
    if (course.times.length > maxPoints) {
      course.times.splice(0, maxPoints / 4);
      course.values.splice(0, maxPoints / 4);
    }
  }
  plotted.value++;
}

function begin({ path, unit, value }: VehicleSignal): Course {
  const kind = value?.value.case;
  const isStepped = kind !== 'number';
  const course: Course = { path, unit, isStepped, labels: [], times: [], values: [] };
  courses.set(path, course);
  return course;
}

function numberOf({ value }: VehicleSignal, course: Course): number | undefined {
  const told = value?.value;
  switch (told?.case) {
    case 'boolean':
      return told.value ? 1 : 0;
    case 'number':
      return told.value;
    case 'integer':
    case 'unsigned':
      return Number(told.value);
    case 'numbers':
      return told.value.values.at(-1);
    case 'text':
      return labelled(course, told.value);
    case 'texts':
      return labelled(course, told.value.values.join(', '));
    default:
      return undefined;
  }
}

function labelled({ labels }: Course, text: string): number {
  const known = labels.indexOf(text);
  if (known >= 0) return known;
  return labels.push(text) - 1;
}

export function valueText({ value, unit }: VehicleSignal): string {
  const told = value?.value;
  const end = unit === '' ? '' : ` ${unit}`;
  switch (told?.case) {
    case 'boolean':
    case 'integer':
    case 'unsigned':
      return `${told.value}${end}`;
    case 'number':
      return `${numberText(told.value)}${end}`;
    case 'text':
      return told.value === '' ? '(empty)' : told.value;
    case 'texts':
      return told.value.values.join(', ');
    case 'numbers':
      return `${told.value.values.map(numberText).join(', ')}${end}`;
    default:
      return '—';
  }
}

function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}
