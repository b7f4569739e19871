import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '#config/load.ts';
import { overlayJson, overlayVspec } from '#diagnostics/signals/overlay-files.ts';

// Writes docs/vss/ota-overlay.json and .vspec, the signals of ours for the sample vehicle of ecu_info.yml, from the table that
// the daemon publishes by; `--check` only compares. For another vehicle: `ota diagnostics overlay`.

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const { ecuInfo } = await loadConfig({ ecuInfoPath: join(root, 'ecu_info.yml'), env: {}, cwd: root });
const ecuIds = [...new Set([ecuInfo.ecuId, ...ecuInfo.availableEcuIds])];
const files = { 'ota-overlay.json': overlayJson(ecuIds), 'ota-overlay.vspec': overlayVspec(ecuIds) };

mkdirSync(join(root, 'docs/vss'), { recursive: true });
for (const [name, wanted] of Object.entries(files)) {
  const file = join(root, 'docs/vss', name);
  if (!values.check) writeFileSync(file, wanted);
  else if (textOf(file) !== wanted) {
    process.stderr.write(`docs/vss/${name} does not show the signals as they are: run \`npm run overlay\`\n`);
    process.exitCode = 1;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
