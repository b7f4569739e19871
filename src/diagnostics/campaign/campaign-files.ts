import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatProblem } from '#config/config-error.ts';
import { readConfigFile } from '#config/config-file.ts';
import { makeDirectoryDurably, writeDurably } from '#host/durable-file.ts';
import type { Campaign } from './campaign.ts';
import { parseCampaign } from './parse-campaign.ts';

/** What a file of a campaign says now. */
export interface CampaignFile {
  readonly file: string;
  /** Tells whether the file is another one than at the last look. */
  readonly version: string;
  /** Undefined when it is refused; then the last good one, where it is known. */
  readonly campaign: Campaign | undefined;
  /** Everything that is wrong with the file, one line each. */
  readonly problems: readonly string[];
}

/** Campaigns for thousands of signals have a few hundred kilobytes. */
export const maxCampaignBytes = 1024 * 1024;
const maxFiles = 256;

interface ReadCampaign extends CampaignFile {
  /** What is to be kept of a good file. */
  readonly text: string | undefined;
}

/**
 * The campaigns in files and in directories of such files (`.yml`, `.yaml`, `.json`). Each look reads only what has changed
 * since the one before.
 */
export class CampaignFiles {
  readonly #places: readonly string[];
  readonly #keptIn: string;
  #known: ReadonlyMap<string, CampaignFile> | undefined;

  /** The last good text of every file is kept in the directory `keptIn`, for starts at which a file is broken. */
  constructor(places: readonly string[], keptIn: string) {
    this.#places = places;
    this.#keptIn = keptIn;
  }

  /** Whatever is wrong with a file, or with a place, is in what is returned; never throws. */
  async look(): Promise<readonly CampaignFile[]> {
    const found = new Map<string, CampaignFile>();
    const names = (await Promise.all(this.#places.map(filesAt))).flat();
    for (const file of [...new Set(names)].slice(0, maxFiles)) {
      const version = await versionOf(file);
      const known = this.#known?.get(file);
      if (known?.version === version) found.set(file, known);
      else found.set(file, await this.#read(file, version));
    }
    const isSame = this.#known?.size === found.size && found.keys().every((file) => this.#known?.has(file));
    if (!isSame) await this.#forget(found);
    this.#known = found;
    return [...found.values()];
  }

  async #read(file: string, version: string): Promise<CampaignFile> {
    const { text, ...read } = await readCampaign(file, version);
    const kept = join(this.#keptIn, keptName(file));
    if (text !== undefined) {
      // A disk that takes nothing costs this copy only.
      await this.#keep(kept, text).catch(() => {});
      return read;
    }
    const { campaign } = version === '' ? read : await readCampaign(kept, version);
    return { ...read, campaign };
  }

  async #keep(path: string, text: string): Promise<void> {
    await makeDirectoryDurably(this.#keptIn, 0o700);
    await writeDurably(path, text, 0o600);
  }

  /** Lets go of what was kept of files that are gone. */
  async #forget(found: ReadonlyMap<string, CampaignFile>): Promise<void> {
    const wanted = new Set(
      [...found].flatMap(([file, { version }]) => (version === '' ? [] : keptName(file))),
    );
    const names = await readdir(this.#keptIn).catch(() => []);
    for (const name of names) {
      if (!wanted.has(name)) await rm(join(this.#keptIn, name), { force: true }).catch(() => {});
    }
  }
}

function keptName(file: string): string {
  return `${createHash('sha256').update(file).digest('hex').slice(0, 32)}.yml`;
}

async function filesAt(place: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(place)).filter((name) => /^[^.].*\.(?:ya?ml|json)$/.test(name));
    return names.toSorted().map((name) => join(place, name));
  } catch {
    // A file, or nothing: reading it tells which.
    return [place];
  }
}

/** Differs after every change: also of one that keeps size and time, since it is another file then. */
async function versionOf(file: string): Promise<string> {
  const stats = await stat(file, { bigint: true }).catch(() => undefined);
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

async function readCampaign(file: string, version: string): Promise<ReadCampaign> {
  const read = await readConfigFile(file, maxCampaignBytes);
  const parsed = read.ok ? parseCampaign(read.text, file) : { ok: false as const, problems: [read.problem] };
  if (!parsed.ok || !read.ok) {
    const problems = parsed.ok ? [] : parsed.problems.map(formatProblem);
    return { file, version, campaign: undefined, problems, text: undefined };
  }
  return { file, version, campaign: parsed.campaign, problems: [], text: read.text };
}
