import { type CheckReport, checkImage } from '#image/build/check-image.ts';
import { ImageError } from '#image/image-error.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';
import { openImage } from './image-location.ts';
import { ProgressLine } from './image-progress.ts';
import { harmless } from './render-text.ts';
import { humanBytes, humanCount } from './render-units.ts';

const usage = `Usage: ota image verify --trust DIR [--deep] [--json] IMAGE

Verifies an image as a vehicle does: the certificate must chain to a root in DIR, the signature must hold, and every
file of the description must have its signed digest.

  IMAGE   Directory or base URL (http, https)

Options:
  --trust DIR   Certificates that vehicles trust
  --deep        Read every file of the image too, and compare it with its digest
  --json        One JSON object instead of text
  -h, --help    Show this help

Exit codes: 0 good, 1 refused or damaged, 2 called wrongly.

Example:
  ota image verify --trust keys/ --deep image/
`;

const options = {
  trust: { type: 'string' },
  deep: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [location, ...more] = positionals;
  if (location === undefined || more.length > 0) throw new UsageError('one image is needed');
  if (values.trust === undefined) throw new UsageError('--trust is needed');
  const trust = await loadTrustStore(values.trust);
  for (const { file, problem } of trust.problems) io.stderr.write(`note: ${file}: ${harmless(problem)}\n`);
  const json = values.json === true;
  await using image = openImage(location);
  try {
    using progress = new ProgressLine('checked', io);
    const deep = values.deep === true;
    const { access } = image;
    const report = await checkImage({ access, trust, deep, onProgress: progress.show, signal: io.signal });
    progress[Symbol.dispose]();
    io.stdout.write(json ? jsonText(report) : reportText(report, location, deep));
    return report.damaged.length === 0 ? exitCodes.ok : exitCodes.failed;
  } catch (error) {
    if (!json || !(error instanceof ImageError)) throw error;
    io.stdout.write(
      `${JSON.stringify({ ok: false, refused: { code: error.code, reason: error.message } })}\n`,
    );
    return exitCodes.failed;
  }
}

function reportText(
  { image, damaged, filesRead, bytesRead }: CheckReport,
  location: string,
  deep: boolean,
): string {
  const read = deep ? `; read ${humanCount(filesRead)} files, ${humanBytes(bytesRead)}` : '';
  const entries = humanCount(image.table.entryCount);
  if (damaged.length === 0) return `${location}: good, ${entries} entries${read}\n`;
  const lines = damaged.map(({ url, reason }) => `  ${url}: ${harmless(reason)}\n`).join('');
  return `${lines}${location}: signature good, but damaged files: ${damaged.length}${read}\n`;
}

/** Fields are only ever added to it. */
function jsonText({ image, damaged, filesRead, bytesRead }: CheckReport): string {
  return `${JSON.stringify({
    ok: damaged.length === 0,
    digest: image.digest,
    entries: image.table.entryCount,
    files_read: filesRead,
    bytes_read: bytesRead,
    damaged,
  })}\n`;
}

export const imageVerifyCommand: Command = {
  name: 'image verify',
  summary: 'Verify an image as a vehicle does',
  usage,
  options,
  run,
};
