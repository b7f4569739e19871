import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Slots } from '#boot/slots.ts';
import type { FailureCode } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { VerifiedImage } from '#image/image.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import type { HttpSource } from '#net/http-source.ts';
import type { HttpTuning } from '#net/http-tuning.ts';
import { failureOf } from './failure-of.ts';
import { persistFiles } from './persist.ts';
import { placeFiles } from './place.ts';
import { type DeltaPlan, planPlacing, type StagedTree } from './plan.ts';
import { prepareTree } from './prepare-tree.ts';
import type { PreparedTree } from './prepared-tree.ts';
import type { StepContext } from './steps.ts';
import { verifyImage } from './verify-image.ts';

export interface EngineOptions {
  readonly slots: Pick<Slots, 'look' | 'prepare'>;
  /** Installed root and intermediate certificates. */
  readonly trustDirectory: string;
  /** Where metadata files are kept over an interruption. */
  readonly metadataDirectory: string;
  /** Threads that read, hash and write. */
  readonly workers: number;
  readonly tuning: HttpTuning;
  readonly proxy: URL | undefined;
  /** Told to servers in User-Agent. */
  readonly clientVersion: string;
  /** Where owners are listed that could not be set, because the daemon is not root. */
  readonly ownersReport: string;
  readonly log: Log;
}

/**
 * The steps of an update that touch images, the network and the standby slot, for one ECU and one update at a time.
 * Errors of every step: OtaFailure; the signal's reason when it fires.
 */
export class UpdateEngine implements AsyncDisposable {
  readonly #options: EngineOptions;
  #source: HttpSource | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  async verify(request: ReleaseRequest, context: StepContext): Promise<VerifiedImage> {
    return this.#step('metadata_download', context, async () => {
      const { trustDirectory, metadataDirectory } = this.#options;
      const trust = await loadTrustStore(trustDirectory);
      const source = await this.#connect(request);
      return verifyImage(request, { source, trust, cacheDirectory: metadataDirectory }, context);
    });
  }

  async prepare(image: VerifiedImage, context: StepContext): Promise<PreparedTree> {
    return this.#step('boot_control_prepare', context, () =>
      prepareTree(image, this.#options.slots, this.#options.workers, context),
    );
  }

  async plan(prepared: PreparedTree, context: StepContext): Promise<DeltaPlan> {
    return this.#step('inventory', context, async () => ({
      prepared,
      ...planPlacing(prepared.state, prepared.active),
    }));
  }

  async place(plan: DeltaPlan, context: StepContext): Promise<StagedTree> {
    return this.#step('placing', context, async () => {
      const source = this.#source;
      if (source === undefined) throw new Error('place was called before verify');
      const staged = await placeFiles(plan, source, this.#options.tuning.connections, context);
      await this.#reportOwners(staged);
      return staged;
    });
  }

  async persist(staged: StagedTree, context: StepContext): Promise<StagedTree> {
    return this.#step('placing', context, () => persistFiles(staged, context));
  }

  async #reportOwners({ image: { table }, unowned }: StagedTree): Promise<void> {
    const { ownersReport, log } = this.#options;
    await rm(ownersReport, { force: true });
    if (unowned.length === 0) return;
    const lines = unowned.map((entry) => `${table.uid(entry)}:${table.gid(entry)} ${table.path(entry)}`);
    await mkdir(dirname(ownersReport), { recursive: true });
    await writeFile(ownersReport, `${lines.join('\n')}\n`);
    log.warn(
      { entries: unowned.length, report: ownersReport },
      'owners could not be set: the daemon is not root',
    );
  }

  /** One pool of connections per update: its cookies belong to one request. */
  async #connect(request: ReleaseRequest): Promise<HttpSource> {
    await this[Symbol.asyncDispose]();
    const { tuning, proxy, clientVersion } = this.#options;
    // Loaded for the first update: an idle daemon does without 6 MiB of HTTP client.
    const { HttpSource } = await import('#net/http-source.ts');
    this.#source = new HttpSource({
      origin: request.url,
      cookies: request.cookies,
      proxy,
      clientVersion,
      ...tuning,
    });
    return this.#source;
  }

  async #step<Result>(
    kind: FailureCode,
    { signal }: StepContext,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw failureOf(error, kind);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const source = this.#source;
    this.#source = undefined;
    await source?.[Symbol.asyncDispose]();
  }
}
