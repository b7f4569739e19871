import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import { HttpSource } from '#net/http-source.ts';
import { failureOf } from '#update/failure-of.ts';
import type { UpdatePlan } from '#update/plan-update.ts';
import { planUpdate } from '#update/plan-update.ts';
import { ProgressMeter } from '#update/progress-meter.ts';
import { validateUpdateRequest } from '#update/request.ts';
import { verifyImage } from '#update/verify-image.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import type { SettingValues } from './plan-options.ts';
import { planSetting } from './plan-setting.ts';

export interface PlanWish {
  readonly url: string;
  /** A secret: in no message. */
  readonly cookies: string;
  readonly setting: SettingValues;
}

/**
 * Verifies the image and reads both slots. Nothing is written but a temporary directory, which is gone at the end.
 * Errors: UsageError; OtaFailure with the codes of an update.
 */
export async function makePlan(wish: PlanWish, io: CliIo): Promise<UpdatePlan> {
  const { signal } = io;
  const request = requestOf(wish);
  await using stack = new AsyncDisposableStack();
  const { tree, trustDirectory, tuning, proxy, workers } = await planSetting(wish.setting, io, stack);
  // Not the daemon's own place for metadata: it may be at work there.
  const cacheDirectory = await mkdtemp(join(tmpdir(), 'ota-plan-'));
  stack.defer(() => rm(cacheDirectory, { recursive: true, force: true }));
  const source = stack.use(
    new HttpSource({ ...tuning, origin: request.url, cookies: request.cookies, proxy, clientVersion: 'cli' }),
  );
  try {
    const trust = await loadTrustStore(trustDirectory);
    const context = { meter: new ProgressMeter(request.version), signal };
    const image = await verifyImage(request, { source, trust, cacheDirectory }, context);
    return await planUpdate(image, tree, workers, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, 'metadata_download');
  }
}

/** The same checks as for a request to a daemon. */
function requestOf({ url, cookies }: PlanWish): ReleaseRequest {
  const entry = { ecuId: '', version: 'plan', url, cookies, releaseName: '', releaseId: '', imageId: '' };
  const request = validateUpdateRequest(entry, 'plan');
  if (request instanceof OtaFailure) throw new UsageError(request.detail);
  return request;
}
