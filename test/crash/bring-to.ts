import { hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { EcuStatus, OtaStatus } from '#domain/status.ts';
import { rebootExitCode } from '../support/daemon-process.ts';
import type { UpdateWorld } from '../support/update-world.ts';
import { releaseTree } from './releases.ts';
import type { Vehicle } from './vehicle.ts';

const limitMs = 120_000;
const busy: readonly OtaStatus[] = ['UPDATING', 'ROLLBACKING', 'CLIENT_UPDATING', 'ABORTING'];

/** What a vehicle went through until it was done. */
export interface Journey {
  readonly boots: number;
  /** Where it first came to rest: confirmed or returned, and why. */
  readonly rest: EcuStatus;
}

/**
 * Goes on with a vehicle whose daemon runs: boots it as often as the daemon asks for it, and asks for `version`, which the
 * vehicle's server must offer, until it is confirmed. `mayBeTried` says whether its first boot may have begun before. Errors: Error when it does not come to that.
 */
export async function bringTo(vehicle: Vehicle, version: string, mayBeTried = true): Promise<Journey> {
  const { daemon, world } = vehicle;
  const end = performance.now() + limitMs;
  let [boots, requests] = [0, 0];
  let rest: EcuStatus | undefined;
  let exit = daemon.exitCode();
  for (;;) {
    if (performance.now() > end) throw new Error(`no end after ${limitMs} ms: ${JSON.stringify(rest)}`);
    const status = await daemon.status();
    if (status === undefined) {
      const code = await Promise.race([exit, delay(50)]);
      if (code === undefined) continue;
      if (code !== rebootExitCode) throw new Error(`the daemon ended with ${code}`);
      await vehicle.powerOff();
      vehicle.bootUp();
      boots += 1;
      if (boots > 6) throw new Error('it boots for ever');
      vehicle.startDaemon();
      exit = daemon.exitCode();
    } else if (!busy.includes(status.status)) {
      rest ??= status;
      if (status.status === 'SUCCESS' && status.firmwareVersion === version) return { boots, rest };
      if (requests >= 2) throw new Error(`${status.status}: ${status.failure?.reason}`);
      // A release whose first boot was cut off before it could tell is asked for with force.
      const force = status.failure?.reason.startsWith('E320') === true;
      if (force && !mayBeTried)
        throw new Error(`quarantined without a first boot: ${status.failure?.reason}`);
      const [answer] = await daemon.update({ version, url: world.server.origin.href, force });
      if (answer?.result === 'NO_FAILURE') requests += 1;
      // Refused only for the moment in which a first boot is still judged.
      else if (answer?.result !== 'RECOVERABLE')
        throw new Error(`the request was refused: ${answer?.message}`);
    }
    await delay(25);
  }
}

/** Hashes of all files below a directory. */
export function contentsBelow(root: string): ReadonlySet<string> {
  const found = new Set<string>();
  addContents(root, found);
  return found;
}

function addContents(directory: string, found: Set<string>): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stats = lstatSync(path);
    if (stats.isDirectory()) addContents(path, found);
    else if (stats.isFile()) found.add(hash('sha256', readFileSync(path)));
  }
}

/** What the server was asked for, since its list was emptied, although its content lay `there` whole. */
export function askedTwice(
  world: UpdateWorld,
  version: string,
  there: ReadonlySet<string>,
): readonly string[] {
  const byPath = new Map<string, string>();
  for (const [path, thing] of Object.entries(releaseTree(version))) {
    const isContent = typeof thing === 'string' || Buffer.isBuffer(thing);
    const content = isContent ? thing : 'content' in thing ? thing.content : '';
    if (content.length > 0) byPath.set(path, hash('sha256', content));
  }
  return world.server.seen.flatMap(({ url }) => {
    const path = decodeURIComponent(new URL(url, 'http://x').pathname);
    const digest = /([0-9a-f]{64})/.exec(path)?.[1] ?? byPath.get(path.replace(/^\/rootfs\//, ''));
    return digest !== undefined && there.has(digest) ? [path] : [];
  });
}
