import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';

const steps = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Decimal units, three digits: `38.8 MB`. */
export function bytesText(bytes: bigint | number): string {
  let value = Number(bytes);
  let step = 0;
  while (value >= 999.5 && step < steps.length - 1) {
    value /= 1000;
    step++;
  }
  const digits = step === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${steps[step]}`;
}

export function rateText(bytesPerSecond: number): string {
  return `${bytesText(Math.max(0, Math.round(bytesPerSecond)))}/s`;
}

const counts = new Intl.NumberFormat('en');

export function countText(count: bigint | number): string {
  return counts.format(count);
}

/** `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Estimates are not told to the second. */
export function remainingText(ms: number): string {
  if (ms < 2000) return 'a moment';
  return `about ${spanText(Math.ceil(ms / 1000) * 1000)}`;
}

export function agoText(ms: number): string {
  return ms < 2500 ? 'now' : `${spanText(Math.floor(ms / 1000) * 1000)} ago`;
}

export function durationMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

export function timeMs(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6;
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const day = new Intl.DateTimeFormat('en-CA', { dateStyle: 'short' });

/** `14:03:22`, with the date before it when it was not today. */
export function momentText(ms: number, now = Date.now()): string {
  const time = clock.format(ms);
  const date = day.format(ms);
  return date === day.format(now) ? time : `${date} ${time}`;
}
