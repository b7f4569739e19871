import { parentPort, workerData } from 'node:worker_threads';
import { CutJudge, nameOf } from './cut-judge.ts';
import { type Cut, cutsAtPromises, cutsIn, type Epoch, randomFrom } from './cuts.ts';
import { promisedAt, type Recording } from './recording.ts';

/** What a thread of a campaign is given. */
export interface CampaignShare {
  readonly recording: Omit<Recording, 'log'> & { readonly log: SharedArrayBuffer };
  readonly directory: string;
  readonly epochs: readonly { readonly epoch: Epoch; readonly cuts: number }[];
  readonly seed: number;
  /** The cuts that are not chosen by chance were judged before. */
  readonly again: boolean;
}

/** What it tells: one message for each disk that it had not seen before, then its numbers. */
export type CampaignNews =
  | { readonly kind: 'case'; readonly name: string; readonly cut: Cut; readonly problems: readonly string[] }
  | { readonly kind: 'end'; readonly mounts: number };

const { recording, directory, epochs, seed, again } = workerData as CampaignShare;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origins
const tell = (news: CampaignNews): void => parentPort?.postMessage(news);

await using judge = await CutJudge.open({ ...recording, log: Buffer.from(recording.log) }, directory);
const seen = new Set<string>();

/** Judges a cut; false when it leaves the same bytes as an earlier one, of which the same was promised. */
async function isNew(cut: Cut): Promise<boolean> {
  const { fingerprints, problems } = await judge.judge(cut);
  const name = `${nameOf(fingerprints)} ${promisedAt(recording, cut).what}`;
  if (seen.has(name)) return false;
  seen.add(name);
  tell({ kind: 'case', name, cut, problems });
  return true;
}

for (const { epoch, cuts } of epochs) {
  if (!again) {
    for (const cut of cutsAtPromises(epoch, recording.entries, recording.promises)) await isNew(cut);
  }
  const random = randomFrom(seed * 1_000_003 + epoch.from);
  // A subset that leaves the same bytes as another is no new case: so often is another one tried.
  let [found, tries] = [0, cuts * 3 + 3];
  for (const cut of cutsIn(epoch, recording.entries, random, again)) {
    if (found >= cuts || tries-- <= 0) break;
    if (await isNew(cut)) found += 1;
  }
}
tell({ kind: 'end', mounts: judge.mounts });
