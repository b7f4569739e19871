import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { CampaignFailure } from './campaign.ts';
import type { Cut } from './cuts.ts';
import type { Recording } from './recording.ts';
import { parseWriteLog } from './write-log.ts';

const cache = join(import.meta.dirname, '../../.cache/crash');

/**
 * Keeps a recording and the cuts that went wrong, below `.cache/crash`. The answer names the first of them:
 * `npm run test:crash -- --replay RUN/NUMBER` judges it again.
 */
export function keepFailures(
  run: string,
  recording: Recording,
  failures: readonly CampaignFailure[],
): string {
  const directory = join(cache, run);
  mkdirSync(directory, { recursive: true });
  const { log, entries: _, ...rest } = recording;
  const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
  writeFileSync(join(directory, 'log.zst'), zstdCompressSync(log, level));
  writeFileSync(join(directory, 'recording.json'), JSON.stringify(rest));
  failures.forEach((failure, index) => {
    writeFileSync(join(directory, `${index}.json`), `${JSON.stringify(failure, undefined, 1)}\n`);
  });
  return `${run}/0`;
}

/** Where a disk is left to be looked at. */
export function keptDisk(id: string): string {
  return join(cache, `${id.replace('/', '-')}.img`);
}

/** Errors: those of the file system, when nothing was kept by this name. */
export function keptCase(id: string): { readonly recording: Recording; readonly cut: Cut } {
  const [run = '', number = '0'] = id.split('/');
  const directory = join(cache, run);
  const inflated = zstdDecompressSync(readFileSync(join(directory, 'log.zst')));
  const log = Buffer.from(new SharedArrayBuffer(inflated.length));
  inflated.copy(log);
  const rest = JSON.parse(readFileSync(join(directory, 'recording.json'), 'utf8')) as Omit<
    Recording,
    'log' | 'entries'
  >;
  const { cut } = JSON.parse(readFileSync(join(directory, `${number}.json`), 'utf8')) as CampaignFailure;
  return { recording: { ...rest, log, entries: parseWriteLog(log) }, cut };
}

/** How to do it again, for people. */
export function tellFailure(id: string, { cut, problems }: CampaignFailure): string {
  const { epoch, at, survivors } = cut;
  return [
    `power cut at ${at} (flushed up to ${epoch.from}; of the rest ${survivors.length} writes survived):`,
    ...problems.map((problem) => `  ${problem}`),
    `again: npm run test:crash -- --replay ${id}`,
  ].join('\n');
}
