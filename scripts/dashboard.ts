import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildDashboard, ensureDashboard, wireBytes } from './dashboard/build.ts';

// `npm run dashboard`: builds the page that the daemon serves at its console, into dist/dashboard.
// --if-needed: only when it is missing or older than its sources

const { values } = parseArgs({ options: { 'if-needed': { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '..');
const files = await (values['if-needed'] ? ensureDashboard(root) : buildDashboard(root));
for (const { name, bytes, brotli, gzip } of files) {
  process.stdout.write(
    `${String(bytes).padStart(8)} ${String(brotli).padStart(7)} br ${String(gzip).padStart(7)} gz  ${name}\n`,
  );
}
const { brotli, gzip } = wireBytes(files);
process.stdout.write(
  `${(brotli / 1000).toFixed(1)} kB with brotli, ${(gzip / 1000).toFixed(1)} kB with gzip\n`,
);
