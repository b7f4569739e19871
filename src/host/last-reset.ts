import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a machine keeps what it knows of its last restart. Others than these only for tests. */
export interface ResetPlaces {
  /** The kernel's records, and where systemd puts them away. */
  readonly crashRecords: readonly string[];
  readonly watchdogs: string;
}

export const resetPlaces: ResetPlaces = {
  crashRecords: ['/sys/fs/pstore', '/var/lib/systemd/pstore'],
  watchdogs: '/sys/class/watchdog',
};

/** systemd puts each record into a directory of its own, and what belongs together below that. */
const maxDepth = 3;
const maxRecords = 1000;
/** What pstore calls a dump of the kernel log. Others, as `console-` and `pmsg-` of ramoops, are left by every reboot. */
const crashPrefix = 'dmesg';

/**
 * The crash records (pstore) that are there, each as path, size and time of its last change: a record that was not there
 * before was made by a crash in between. Empty where the machine keeps none.
 */
export async function listCrashRecords(places = resetPlaces): Promise<string[]> {
  const found: string[] = [];
  const walk = async (directory: string, depth: number): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (found.length >= maxRecords) return;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (depth < maxDepth) await walk(path, depth + 1);
        continue;
      }
      if (!entry.name.startsWith(crashPrefix)) continue;
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
      found.push(`${path} ${size} ${Math.round(mtimeMs)}`);
    }
  };
  for (const place of places.crashRecords) await walk(place, 1);
  return found.toSorted();
}

/** WDIOF_CARDRESET of linux/watchdog.h: this boot is the watchdog's doing. */
const cardReset = 0x20;

/** Names of the hardware watchdogs that say that they reset the machine before this boot. */
export async function watchdogsThatReset(places = resetPlaces): Promise<string[]> {
  const names = await readdir(places.watchdogs).catch(() => []);
  const found: string[] = [];
  for (const name of names.toSorted((a, b) => a.localeCompare(b))) {
    const text = await readFile(join(places.watchdogs, name, 'bootstatus'), 'utf8').catch(() => '');
    if ((Number(text.trim()) & cardReset) !== 0) found.push(name);
  }
  return found;
}
