import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import type { Cut } from './cuts.ts';
import { DiskImage, type Fingerprints } from './disk-image.ts';
import { readGrubBoot } from './grub-boot.ts';
import { MountBench, type MountReport } from './mount-bench.ts';
import { promisedAt, type Recording } from './recording.ts';
import { manifest, manifestDifferences } from './releases.ts';
import { type BootFacts, type CutFacts, problemsOf, readBootFacts, type TreeFacts } from './verdict.ts';

/** How one power cut ended. */
export interface Judgement {
  readonly fingerprints: Fingerprints;
  readonly problems: readonly string[];
}

/**
 * Judges power cuts of one recording, best in the order of their epochs. What was found out about the bytes of a partition
 * is not found out again.
 */
export class CutJudge implements AsyncDisposable {
  readonly #recording: Recording;
  readonly #bench: MountBench;
  readonly #boots = new Map<string, MountReport<BootFacts>>();
  readonly #grubs = new Map<string, CutFacts['grub']>();
  readonly #trees = new Map<string, MountReport<TreeFacts>>();
  readonly #kernels: ReadonlyMap<string, string>;
  #image: DiskImage;
  #applied = 0;
  /** File systems that were mounted. */
  mounts = 0;

  private constructor(recording: Recording, bench: MountBench) {
    this.#recording = recording;
    this.#bench = bench;
    this.#image = new DiskImage(recording.log);
    this.#kernels = new Map(recording.releases.map(({ version, kernels }) => [version, kernels]));
  }

  /** `directory` should lie in memory. */
  static async open(recording: Recording, directory: string): Promise<CutJudge> {
    return new CutJudge(recording, await MountBench.open(directory));
  }

  async judge(cut: Cut): Promise<Judgement> {
    return this.after(cut, async (image) => {
      const fingerprints = image.fingerprints();
      // Half of all disks are checked before they are mounted, the others are left to the kernel's own replay.
      const way = fingerprints.boot.charCodeAt(0) % 2 === 0 ? 'check' : 'replay';
      const tree = (slot: SlotId): Promise<MountReport<TreeFacts>> =>
        this.#known(this.#trees, fingerprints[slot], () =>
          this.#bench.mount(image.partition(slot), way, async (root) => this.#tree(root)),
        );
      const facts: CutFacts = {
        grub: this.#grub(image, fingerprints.boot),
        boot: await this.#known(this.#boots, fingerprints.boot, () =>
          this.#bench.mount(image.partition('boot'), way, readBootFacts),
        ),
        slots: { slot_a: await tree('slot_a'), slot_b: await tree('slot_b') },
        promised: promisedAt(this.#recording, cut),
        kernels: this.#kernels,
      };
      return { fingerprints, problems: problemsOf(facts) };
    });
  }

  /** Shows the disk as the cut leaves it. */
  async after<T>(cut: Cut, show: (image: DiskImage) => Promise<T>): Promise<T> {
    if (cut.epoch.from < this.#applied) {
      this.#image = new DiskImage(this.#recording.log);
      this.#applied = 0;
    }
    const { entries } = this.#recording;
    for (; this.#applied < cut.epoch.from; this.#applied++) {
      const entry = entries[this.#applied];
      if (entry !== undefined) this.#image.apply(entry);
    }
    return this.#image.trying(async () => {
      for (const { position, torn } of cut.survivors) {
        const entry = entries[position];
        if (entry !== undefined) this.#image.apply(entry, torn === undefined ? undefined : new Set(torn));
      }
      return show(this.#image);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bench[Symbol.asyncDispose]();
  }

  #grub(image: DiskImage, fingerprint: string): CutFacts['grub'] {
    let grub = this.#grubs.get(fingerprint);
    if (grub === undefined) {
      try {
        grub = readGrubBoot(image.partition('boot'));
      } catch (error) {
        grub = { unreadable: error instanceof Error ? error.message : String(error) };
      }
      this.#grubs.set(fingerprint, grub);
    }
    return grub;
  }

  #tree(root: string): TreeFacts {
    const { releases, except } = this.#recording;
    const found = manifest(root, except);
    const text = found.join('\n');
    const whole = releases.find((release) => release.manifest.join('\n') === text);
    if (whole !== undefined) return { version: whole.version, differences: [] };
    const differences = releases
      .map((release) => manifestDifferences(found, release.manifest))
      .toSorted((a, b) => a.length - b.length);
    return { version: undefined, differences: differences[0] ?? [] };
  }

  async #known<T>(
    cache: Map<string, MountReport<T>>,
    key: string,
    find: () => Promise<MountReport<T>>,
  ): Promise<MountReport<T>> {
    let known = cache.get(key);
    if (known === undefined) {
      this.mounts += 1;
      known = await find();
      cache.set(key, known);
    }
    return known;
  }
}

/** Names a disk by all its bytes. */
export function nameOf(fingerprints: Fingerprints): string {
  return ['boot', ...slotIds].map((name) => fingerprints[name as keyof Fingerprints]).join('.');
}
