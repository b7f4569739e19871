import { readdir, readFile, statfs } from 'node:fs/promises';
import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import { ecuNames } from '#diagnostics/signals/ecu-name.ts';
import { hostSignals } from '#diagnostics/signals/overlay-host.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { SignalSource } from './source.ts';

/** Where the kernel tells; other places only in tests. */
export interface HostPlaces {
  readonly proc: string;
  readonly sys: string;
  /** File system whose room is told. */
  readonly disk: string;
}

interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/** How this ECU fares: processor, memory, disk in percent, the hottest sensor in degrees Celsius. */
export class HostSource implements SignalSource {
  readonly #store: SignalStore;
  readonly #clock: SignalClock;
  readonly #places: HostPlaces;
  readonly #root: string;
  #before: CpuTimes | undefined;
  #samples = 0;
  #timer: NodeJS.Timeout | undefined;
  #measuring: Promise<void> | undefined;

  constructor(store: SignalStore, clock: SignalClock, ecuId: string, places: HostPlaces) {
    this.#store = store;
    this.#clock = clock;
    this.#places = places;
    this.#root = `Vehicle.OTA.ECU.${ecuNames([ecuId]).get(ecuId) ?? 'Ecu'}.Host`;
    for (const [name, { datatype, unit }] of Object.entries(hostSignals)) {
      store.describe(`${this.#root}.${name}`, datatype, unit);
    }
  }

  get paths(): readonly string[] {
    return Object.keys(hostSignals).map((name) => `${this.#root}.${name}`);
  }

  state(): SourceStatus {
    return {
      name: 'host',
      state: this.#samples > 0 ? 'connected' : 'waiting',
      problem: '',
      signals: this.paths.length,
      samples: this.#samples,
    };
  }

  /** Measures now and again after every `intervalMs`; a measurement that takes longer than that is waited for. */
  start(intervalMs: number): void {
    const look = (): void => {
      this.#measuring ??= this.measure().finally(() => {
        this.#measuring = undefined;
      });
    };
    this.#timer = setInterval(look, intervalMs).unref();
    look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#measuring;
  }

  /** Measures once. What this machine does not tell is left out. */
  async measure(): Promise<void> {
    const [cpu, memory, disk, temperature] = await Promise.all([
      this.#cpu(),
      this.#memory(),
      this.#disk(),
      this.#temperature(),
    ]);
    this.#put('CpuUtilization', cpu);
    this.#put('MemoryUtilization', memory);
    this.#put('DiskUtilization', disk);
    this.#put('Temperature', temperature);
  }

  #put(name: string, value: VssValue | undefined): void {
    if (value === undefined) return;
    this.#samples++;
    const { now, wallMicros } = this.#clock;
    this.#store.put(`${this.#root}.${name}`, { value, ts: wallMicros(), receivedAt: now() });
  }

  /** Since the last look. @see proc_stat(5) */
  async #cpu(): Promise<number | undefined> {
    const [line = ''] = (await this.#read(`${this.#places.proc}/stat`)).split('\n');
    const [name, ...fields] = line.split(/\s+/);
    if (name !== 'cpu') return undefined;
    // Guest times are part of user times already.
    const times = fields.slice(0, 8).map(Number);
    const total = times.reduce((sum, time) => sum + time, 0);
    const idle = (times[3] ?? 0) + (times[4] ?? 0);
    const before = this.#before;
    this.#before = { busy: total - idle, total };
    if (before === undefined || total <= before.total) return undefined;
    return round((100 * (total - idle - before.busy)) / (total - before.total));
  }

  /** @see proc_meminfo(5) */
  async #memory(): Promise<number | undefined> {
    const text = await this.#read(`${this.#places.proc}/meminfo`);
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
    const [total, available] = [field('MemTotal'), field('MemAvailable')];
    return total > 0 && available >= 0 ? round(100 * (1 - available / total)) : undefined;
  }

  async #disk(): Promise<number | undefined> {
    const stats = await statfs(this.#places.disk).catch(() => undefined);
    if (stats === undefined || stats.blocks === 0) return undefined;
    return round(100 * (1 - stats.bavail / stats.blocks));
  }

  /** Millidegrees, of every zone that the kernel knows. */
  async #temperature(): Promise<number | undefined> {
    const directory = `${this.#places.sys}/class/thermal`;
    const zones = (await readdir(directory).catch(() => [])).filter((name) =>
      name.startsWith('thermal_zone'),
    );
    const read = await Promise.all(zones.map(async (zone) => this.#read(`${directory}/${zone}/temp`)));
    const degrees = read.filter((text) => /^-?\d+\s*$/.test(text)).map((text) => Number(text) / 1000);
    return degrees.length === 0 ? undefined : round(Math.max(...degrees));
  }

  async #read(path: string): Promise<string> {
    return readFile(path, 'utf8').catch(() => '');
  }
}

/** To what is worth keeping. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
