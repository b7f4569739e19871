// Numbers for people. Sizes are SI (1 kB is 1000 bytes), as network rates and disk sizes are given.

const sizeUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes with three significant digits at least: `999 B`, `1.50 kB`, `12.3 MB`, `1.70 GB`. */
export function humanBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.5 of a unit would be rounded to 1000 of it.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < sizeUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${sizeUnits[unit]}`;
}

/** Bytes per second: `12.3 MB/s`. */
export function humanRate(bytesPerSecond: number): string {
  return `${humanBytes(bytesPerSecond)}/s`;
}

/** A count with separators of thousands: `50,123`. */
export function humanCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A duration given in milliseconds: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 04 min`, `3 d 02 h`. */
export function humanDuration(ms: number): string {
  const pad = (value: number): string => String(value).padStart(2, '0');
  if (ms < 9950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${pad(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}
