import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SeenTree } from '#boot/slots.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import type { HttpTuning } from '#net/http-tuning.ts';
import { failureOf } from './failure-of.ts';
import type { UpdatePlan } from './plan-update.ts';
import { planUpdate } from './plan-update.ts';
import { ProgressMeter } from './progress-meter.ts';
import { verifyImage } from './verify-image.ts';

/** What a plan is made for: the slots of an ECU, and how it would get and check an image. */
export interface PlanSetting {
  readonly tree: SeenTree;
  readonly trustDirectory: string;
  readonly tuning: HttpTuning;
  readonly proxy: URL | undefined;
  readonly workers: number;
  readonly clientVersion: string;
}

/** A plan, and what making it has measured. */
export interface MeasuredPlan {
  readonly plan: UpdatePlan;
  /** Bytes of metadata that came over the network, and in how many milliseconds. */
  readonly wireBytes: number;
  readonly verifyMs: number;
  /** Milliseconds in which both slots were read. */
  readonly scanMs: number;
}

/**
 * Verifies an image and reads both slots, as an update would. Nothing is written but a temporary directory, which is gone
 * at the end. Errors: OtaFailure with the codes of an update; the signal's reason.
 */
export async function planRelease(
  request: ReleaseRequest,
  setting: PlanSetting,
  signal: AbortSignal,
): Promise<MeasuredPlan> {
  const { tree, trustDirectory, tuning, proxy, workers, clientVersion } = setting;
  await using stack = new AsyncDisposableStack();
  // Not the daemon's own place for metadata: it may be at work there.
  const cacheDirectory = await mkdtemp(join(tmpdir(), 'ota-plan-'));
  stack.defer(() => rm(cacheDirectory, { recursive: true, force: true }));
  const { url: origin, cookies } = request;
  // Loaded when it is needed: an idle daemon does without.
  const { HttpSource } = await import('#net/http-source.ts');
  const source = stack.use(new HttpSource({ ...tuning, origin, cookies, proxy, clientVersion }));
  try {
    const begun = performance.now();
    const trust = await loadTrustStore(trustDirectory);
    const meter = new ProgressMeter(request.version);
    const image = await verifyImage(request, { source, trust, cacheDirectory }, { meter, signal });
    const verified = performance.now();
    const plan = await planUpdate(image, tree, workers, signal);
    const { wireBytes } = meter.snapshot();
    return { plan, wireBytes, verifyMs: verified - begun, scanMs: performance.now() - verified };
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, 'metadata_download');
  }
}
