import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CampaignNews, CampaignShare } from './campaign-worker.ts';
import { type Cut, type Epoch, epochsOf } from './cuts.ts';
import type { Recording } from './recording.ts';

export interface CampaignOptions {
  /** How many different disks are wanted. */
  readonly cases: number;
  readonly seed: number;
  readonly threads: number;
  /** Should lie in memory. */
  readonly directory: string;
  /** Only epochs from this position on. */
  readonly from?: number;
  /** Ends early after so many failures. */
  readonly failures?: number;
  readonly signal: AbortSignal;
}

export interface CampaignFailure {
  readonly cut: Cut;
  readonly problems: readonly string[];
}

export interface CampaignResult {
  /** Different disks that were judged. */
  readonly cases: number;
  readonly epochs: number;
  readonly mounts: number;
  readonly failures: readonly CampaignFailure[];
}

/** Judges the recording's disk after power cuts in every epoch, and after as many more as are wanted. */
export async function runCampaign(recording: Recording, options: CampaignOptions): Promise<CampaignResult> {
  const { seed, threads, directory, failures: most = 20 } = options;
  const epochs = epochsOf(recording.entries, options.from ?? recording.start);
  const names = new Set<string>();
  const failures: CampaignFailure[] = [];
  const used = new Set<number>();
  let mounts = 0;
  let round = 0;
  // The share of an epoch whose writes are used up goes to the others in another round.
  while (names.size < options.cases && round < 30 && failures.length < most) {
    const before = names.size;
    const left = epochs.filter(({ from }) => !used.has(from));
    if (left.length === 0) break;
    const shares = quotas(left, recording, (options.cases - before) * 1.3 + (round === 0 ? 0 : 100));
    const found = new Map<number, number>();
    await Promise.all(
      Array.from({ length: threads }, (_, thread) => {
        const { log, ...rest } = recording;
        const share: CampaignShare = {
          recording: { ...rest, log: log.buffer as SharedArrayBuffer },
          directory: join(directory, `bench-${round}-${thread}`),
          epochs: portion(shares, thread, threads),
          seed: seed + round * 7919,
          again: round > 0,
        };
        return runShare(share, options.signal, (news) => {
          if (news.kind === 'end') mounts += news.mounts;
          else if (!names.has(news.name)) {
            names.add(news.name);
            const { from } = news.cut.epoch;
            found.set(from, (found.get(from) ?? 0) + 1);
            if (news.problems.length > 0) failures.push({ cut: news.cut, problems: news.problems });
          }
          return failures.length < most;
        });
      }),
    );
    round += 1;
    for (const { epoch, cuts } of shares) if ((found.get(epoch.from) ?? 0) < cuts / 4) used.add(epoch.from);
  }
  return { cases: names.size, epochs: epochs.length, mounts, failures };
}

/** Neighbouring epochs, as many cuts for each thread: what is found out about a partition holds for the next epochs. */
function portion(shares: CampaignShare['epochs'], thread: number, threads: number): CampaignShare['epochs'] {
  const all = shares.reduce((sum, { cuts }) => sum + cuts, 0);
  let before = 0;
  return shares.filter(({ cuts }) => {
    const at = before;
    before += cuts;
    return Math.min(threads - 1, Math.floor((at * threads) / all)) === thread;
  });
}

/** A cut of an epoch with many writes can go wrong in more ways, up to a point. */
function quotas(epochs: readonly Epoch[], { entries }: Recording, wanted: number): CampaignShare['epochs'] {
  const weights = epochs.map(({ from, to }) => {
    let writes = 0;
    for (let at = from; at < to; at++) if (entries[at]?.kind === 'write') writes += 1;
    return writes === 0 ? 0 : Math.min(6 + 2 * writes, 150);
  });
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return epochs.map((epoch, index) => ({
    epoch,
    cuts: Math.max(2, Math.ceil((wanted * (weights[index] ?? 0)) / Math.max(1, sum))),
  }));
}

async function runShare(
  share: CampaignShare,
  signal: AbortSignal,
  take: (news: CampaignNews) => boolean,
): Promise<void> {
  const worker = new Worker(new URL('./campaign-worker.ts', import.meta.url), { workerData: share });
  const done = Promise.withResolvers<void>();
  const stop = (): void => {
    void worker.terminate().then(() => done.resolve());
  };
  worker.on('message', (news: CampaignNews) => {
    if (!take(news)) stop();
  });
  worker.on('error', done.reject);
  worker.on('exit', () => done.resolve());
  signal.addEventListener('abort', stop, { once: true });
  try {
    await done.promise;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
