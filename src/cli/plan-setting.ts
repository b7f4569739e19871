import { readSlots } from '#boot/open-slots.ts';
import { loadConfig } from '#config/load.ts';
import { defaultWorkerCount } from '#host/worker-crew.ts';
import { defaultTuning } from '#net/http-tuning.ts';
import type { PlanSetting } from '#update/plan-release.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import type { SettingValues } from './plan-options.ts';
import { warningsTo } from './warnings.ts';

/** What the image server is told. */
const clientVersion = 'cli';

/**
 * What was opened to look at the slots (mounts) is put on `stack`.
 * Errors: UsageError; BootError when the slots of the configured ECU cannot be looked at.
 */
export async function planSetting(
  values: SettingValues,
  io: CliIo,
  stack: AsyncDisposableStack,
): Promise<PlanSetting> {
  const { active, standby, trust } = values;
  const given = [active, standby, trust].filter((value) => value !== undefined);
  if (given.length === 0) return await configuredSetting(values, io, stack);
  if (active === undefined || standby === undefined || trust === undefined) {
    throw new UsageError('--active, --standby and --trust belong together');
  }
  if (values['ecu-info'] !== undefined || values.options !== undefined) {
    throw new UsageError('--active, --standby and --trust take the place of --ecu-info and --options');
  }
  return {
    tree: { slot: 'slot_b', root: standby, work: `${standby}.work`, activeRoot: active, reserved: [] },
    trustDirectory: trust,
    tuning: defaultTuning,
    proxy: undefined,
    workers: defaultWorkerCount(),
    clientVersion,
  };
}

async function configuredSetting(
  values: SettingValues,
  io: CliIo,
  stack: AsyncDisposableStack,
): Promise<PlanSetting> {
  const config = await loadConfig({
    ecuInfoPath: values['ecu-info'],
    optionsPath: values.options,
    env: io.env,
    cwd: process.cwd(),
  });
  if (config.problem !== undefined) {
    throw new UsageError(
      `${config.problem.message}\nGive --active, --standby and --trust to plan without a configuration`,
    );
  }
  const { options } = config;
  const slots = stack.use(await readSlots({ config, log: warningsTo(io.stderr) }));
  const { proxyUrl, ...download } = options.download;
  return {
    tree: await slots.look(io.signal),
    trustDirectory: options.trust.directory,
    tuning: { ...defaultTuning, ...download },
    proxy: proxyUrl === undefined ? undefined : new URL(proxyUrl),
    workers: options.workers.count === 0 ? defaultWorkerCount() : options.workers.count,
    clientVersion,
  };
}
