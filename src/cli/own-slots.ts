import { readSlots } from '#boot/open-slots.ts';
import type { Slots } from '#boot/slots.ts';
import { loadConfig } from '#config/load.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import { warningsTo } from './warnings.ts';

/** Options of the commands that look at the slots of this ECU. */
export const ownSlotsOptions = {
  'ecu-info': { type: 'string' },
  options: { type: 'string' },
} as const;

/** What help says about them. */
export const ownSlotsUsage = `  --ecu-info FILE   Description of this ECU (ecu_info.yml), from which its slots are known
  --options FILE    The daemon's own options (ota.yml)`;

/**
 * The slots of the ECU that this runs on, opened beside its daemon and let go of by `stack`.
 * Errors: UsageError when its configuration is broken; BootError when its slots cannot be opened.
 */
export async function openOwnSlots(
  values: { readonly 'ecu-info'?: string | undefined; readonly options?: string | undefined },
  io: CliIo,
  stack: AsyncDisposableStack,
): Promise<Slots> {
  const config = await loadConfig({
    ecuInfoPath: values['ecu-info'],
    optionsPath: values.options,
    env: io.env,
    cwd: process.cwd(),
  });
  if (config.problem !== undefined) throw new UsageError(config.problem.message);
  return stack.use(await readSlots({ config, log: warningsTo(io.stderr) }));
}
