import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import { planRelease } from '#update/plan-release.ts';
import type { UpdatePlan } from '#update/plan-update.ts';
import { validateUpdateRequest } from '#update/request.ts';
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
  const request = requestOf(wish);
  await using stack = new AsyncDisposableStack();
  const setting = await planSetting(wish.setting, io, stack);
  return (await planRelease(request, setting, io.signal)).plan;
}

/** The same checks as for a request to a daemon. */
function requestOf({ url, cookies }: PlanWish): ReleaseRequest {
  const entry = { ecuId: '', version: 'plan', url, cookies, releaseName: '', releaseId: '', imageId: '' };
  const request = validateUpdateRequest(entry, 'plan');
  if (request instanceof OtaFailure) throw new UsageError(request.detail);
  return request;
}
