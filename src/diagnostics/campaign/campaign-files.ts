import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatProblem } from '#config/config-error.ts';
import { readConfigFile } from '#config/config-file.ts';
import type { Campaign } from './campaign.ts';
import { parseCampaign } from './parse-campaign.ts';

/** What a file of a campaign says now. */
export interface CampaignFile {
  readonly file: string;
  /** Tells whether the file is another one than at the last look. */
  readonly version: string;
  /** Undefined when it is refused. */
  readonly campaign: Campaign | undefined;
  /** Everything that is wrong with it, one line each. */
  readonly problems: readonly string[];
}

/** Campaigns for thousands of signals have a few hundred kilobytes. */
export const maxCampaignBytes = 1024 * 1024;
const maxFiles = 256;

/**
 * The campaigns in files and in directories of such files (`.yml`, `.yaml`, `.json`). Each look reads only what has changed
 * since the one before.
 */
export class CampaignFiles {
  readonly #places: readonly string[];
  #known: ReadonlyMap<string, CampaignFile> = new Map();

  constructor(places: readonly string[]) {
    this.#places = places;
  }

  /** Whatever is wrong with a file, or with a place, is in what is returned; never throws. */
  async look(): Promise<readonly CampaignFile[]> {
    const found = new Map<string, CampaignFile>();
    const names = (await Promise.all(this.#places.map(filesAt))).flat();
    for (const file of [...new Set(names)].slice(0, maxFiles)) {
      const version = await versionOf(file);
      const known = this.#known.get(file);
      found.set(file, known?.version === version ? known : await readCampaign(file, version));
    }
    this.#known = found;
    return [...found.values()];
  }
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

async function readCampaign(file: string, version: string): Promise<CampaignFile> {
  const read = await readConfigFile(file, maxCampaignBytes);
  const parsed = read.ok ? parseCampaign(read.text, file) : { ok: false as const, problems: [read.problem] };
  if (parsed.ok) return { file, version, campaign: parsed.campaign, problems: [] };
  return { file, version, campaign: undefined, problems: parsed.problems.map(formatProblem) };
}
