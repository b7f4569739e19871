import { readSlots } from '#boot/open-slots.ts';
import { loadConfig } from '#config/load.ts';
import type { RollbackOutlook } from '#update/rollback/look-at-rollback.ts';
import { lookAtRollback } from '#update/rollback/look-at-rollback.ts';
import type { CliIo } from './command.ts';
import { exitCodes, UsageError } from './command.ts';
import { renderOutlook } from './render-outlook.ts';
import { styleOf } from './render-style.ts';
import { warningsTo } from './warnings.ts';

export interface DryRun {
  readonly ecuInfoPath: string | undefined;
  readonly optionsPath: string | undefined;
  readonly json: boolean;
}

/**
 * Tells what a rollback of the ECU that this runs on would do, beside its daemon. Answers the exit code: whether it would
 * be taken. Errors: UsageError when the ECU's configuration is broken; BootError when its slots cannot be looked at.
 */
export async function dryRunRollback({ ecuInfoPath, optionsPath, json }: DryRun, io: CliIo): Promise<number> {
  const config = await loadConfig({ ecuInfoPath, optionsPath, env: io.env, cwd: process.cwd() });
  if (config.problem !== undefined) throw new UsageError(config.problem.message);
  await using slots = await readSlots({ config, log: warningsTo(io.stderr) });
  const { allow, persist } = config.options;
  const looked = await lookAtRollback(slots, persist.backOnRollback, io.signal);
  const outlook = allow.rollback
    ? looked
    : { ...looked, refusal: 'the option allow.rollback is false', files: [] };
  const text = json
    ? JSON.stringify(outlookJson(outlook, persist.backOnRollback))
    : renderOutlook(outlook, styleOf(io, io.env)).join('\n');
  io.stdout.write(`${text}\n`);
  return outlook.refusal === undefined ? exitCodes.ok : exitCodes.failed;
}

/** The stable JSON, documented in docs/cli.md. */
function outlookJson({ running, target, refusal, files }: RollbackOutlook, paths: readonly string[]): object {
  return {
    type: 'rollback_plan',
    possible: refusal === undefined,
    reason: refusal ?? null,
    running: { slot: running.id, version: running.version, image_digest: running.imageDigest },
    target: {
      slot: target.id,
      version: target.version,
      image_digest: target.imageDigest,
      intact: target.intact,
    },
    back_on_rollback: paths,
    files: files.map(({ change, path, bytes }) => ({ change, path, bytes })),
  };
}
