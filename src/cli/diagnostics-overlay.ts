import { cwd } from 'node:process';
import { loadConfig } from '#config/load.ts';
import { overlayJson, overlayVspec } from '#diagnostics/signals/overlay-files.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';

const usage = `Usage: ota diagnostics overlay [options]

Shows the signals that this client publishes, Vehicle.OTA, for the ECUs of this vehicle: as JSON for a databroker
(--vss catalog.json,overlay.json), or as vspec for vss-tools (-l overlay.vspec).

Options:
  --vspec           As vspec instead of JSON
  --ecu ID          An ECU of the vehicle; repeat it for more. The ECUs of the configuration otherwise
  --ecu-info FILE   Description of this ECU and its children (ecu_info.yml)
  -h, --help        Show this help

Exit codes: 0 shown, 1 failed, 2 called wrongly.

Example:
  ota diagnostics overlay > /etc/kuksa/ota-overlay.json
`;

const options = {
  vspec: { type: 'boolean' },
  ecu: { type: 'string', multiple: true },
  'ecu-info': { type: 'string' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  let ids: readonly string[] = values.ecu ?? [];
  if (ids.length === 0) {
    const { ecuInfo, problem } = await loadConfig({
      ecuInfoPath: values['ecu-info'],
      env: io.env,
      cwd: cwd(),
    });
    if (problem !== undefined) throw problem;
    ids = [ecuInfo.ecuId, ...ecuInfo.availableEcuIds];
  }
  const unique = [...new Set(ids)];
  io.stdout.write(values.vspec === true ? overlayVspec(unique) : overlayJson(unique));
  return exitCodes.ok;
}

export const diagnosticsOverlayCommand: Command = {
  name: 'diagnostics overlay',
  summary: 'Show our signals as a catalog for a databroker',
  usage,
  options,
  run,
};
