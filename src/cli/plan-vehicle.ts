import type { PlannedEcu } from '#api/console-plan.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import type { ConsoleValues } from './console-options.ts';
import { consoleDoor } from './console-options.ts';
import { gravest } from './exit-codes.ts';
import { causeByNumber } from './outcome.ts';
import { styleOf } from './render-style.ts';
import { renderVehiclePlan, vehiclePlanJson, verdictOf } from './render-vehicle-plan.ts';
import type { Wish } from './update-wish.ts';
import { vehicleExitCodes } from './vehicle-options.ts';
import { withConsole } from './with-console.ts';

/** Each ECU verifies the image and reads both of its slots: on a small one that takes minutes. */
const planBudgetMs = 600_000;
const askBudgetMs = 10_000;

/** Asks the console what an update would do to each ECU, and tells it. Answers the exit code. */
export async function planVehicleCommand(
  wish: Wish,
  { values, json }: { readonly values: ConsoleValues; readonly json: boolean },
  io: CliIo,
): Promise<number> {
  const door = await consoleDoor(values, io);
  const { campaignEcuIds, planVehicle } = await import('#api/console-plan.ts');
  return await withConsole('plan', io, async () => {
    using client = await door.open();
    const { signal } = io;
    const entries =
      wish.kind === 'entries'
        ? wish.entries
        : (await campaignEcuIds(client, { signal, budgetMs: askBudgetMs })).map((ecuId) => ({
            ecuId,
            ...wish.release,
          }));
    if (entries.length === 0) throw new UsageError('the vehicle lists no ECU for campaigns; use --ecu');
    const plans = await planVehicle(client, entries, { signal, budgetMs: planBudgetMs });
    const text = json
      ? [JSON.stringify(vehiclePlanJson(plans))]
      : renderVehiclePlan(plans, styleOf(io, io.env));
    io.stdout.write(text.map((line) => `${line}\n`).join(''));
    return gravest(plans.map(codeOf));
  });
}

/** An ECU of which nothing is known may be updated all the same. */
function codeOf(plan: PlannedEcu): number {
  const verdict = verdictOf(plan);
  if (verdict === 'fits' || verdict === 'unknown') return vehicleExitCodes.ok;
  const isState = plan.refusals.every((reason) => causeByNumber(reason) === 'vehicle_state');
  return verdict === 'refuses' && isState ? vehicleExitCodes.blocked : vehicleExitCodes.failed;
}
