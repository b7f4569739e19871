import { createReadStream, statSync } from 'node:fs';
import { loadSigner, type Signer } from '#image/build/sign.ts';
import { type ImageSource, type Problem, type ProblemKind, problemKinds } from '#image/build/source.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { tarSource } from '#image/build/source-tar.ts';
import { type BuildReport, buildImage, NotRepresentable } from '#image/build/write-image.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';
import { ProgressLine } from './image-progress.ts';
import { readSource } from './read-source.ts';
import { harmless } from './render-text.ts';
import { humanBytes, humanCount } from './render-units.ts';

const kinds = Object.entries(problemKinds);
const kindWidth = Math.max(...kinds.map(([kind]) => kind.length));

const usage = `Usage: ota image build [options] SOURCE OUTPUT

Builds an OTA image from a directory or a tar stream, such as "docker export" writes.

  SOURCE   Directory; tar file, plain or compressed with gzip or zstd; or - for a tar stream on stdin
  OUTPUT   Directory of the image: must not exist yet, or be empty

What the image goes without:
  --ignore PATTERN      Leave out what matches, in .gitignore syntax; may be repeated
  --ignore-file FILE    The same, with one pattern a line
  --drop KIND[,KIND]    Allow to lose what the image format cannot carry. Without it every such thing is told
                        and nothing is built. Kinds:
${kinds.map(([kind, what]) => `                          ${kind.padEnd(kindWidth)}  ${what}`).join('\n')}

What vehicles keep over an update:
  --persistent PATH     Absolute path of a file or directory, no pattern; may be repeated
  --persistent-file FILE
                        The same, with one path a line

Compression:
  --no-compression      Store every file as it is
  --level N             zstd level, 1 to 22 (default 10)
  --min-size BYTES      Store smaller files as they are (default 16384)
  --min-ratio R         Store files as they are that get smaller by less (default 1.25)

  --key FILE            Sign the image too, as "ota image sign" does
  --certificate FILE
  --json                One JSON object instead of text
  -h, --help            Show this help

Times are not carried, nor anything of the root directory itself. See docs/image-format.md.
Exit codes: 0 built, 1 failed or refused, 2 called wrongly.

Examples:
  ota image build --ignore /dev --ignore /proc rootfs/ image/
  docker export my-container | ota image build --persistent /etc/hostname - image/
`;

const options = {
  ignore: { type: 'string', multiple: true },
  'ignore-file': { type: 'string', multiple: true },
  drop: { type: 'string', multiple: true },
  persistent: { type: 'string', multiple: true },
  'persistent-file': { type: 'string', multiple: true },
  'no-compression': { type: 'boolean' },
  level: { type: 'string' },
  'min-size': { type: 'string' },
  'min-ratio': { type: 'string' },
  key: { type: 'string' },
  certificate: { type: 'string' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [source, output, ...more] = positionals;
  if (source === undefined || output === undefined || more.length > 0) {
    throw new UsageError('a source and an output directory are needed');
  }
  const signer = await signerOf(values.key, values.certificate);
  const lines = async (files: readonly string[] = []): Promise<string[]> =>
    (await Promise.all(files.map((file) => readSource(file, io)))).flatMap((text) => text.split(/\r?\n/));
  const persistentLines = await lines(values['persistent-file']);
  const given = {
    source: sourceOf(source, io),
    output,
    ignore: [...(await lines(values['ignore-file'])), ...(values.ignore ?? [])],
    persistents: [...persistentLines.filter((line) => line !== ''), ...(values.persistent ?? [])],
    drop: (values.drop ?? []).flatMap((list) => list.split(',')).map(kindOf),
    compression: compressionOf(values),
    ...(signer === undefined ? {} : { signer }),
  };
  let report: BuildReport;
  try {
    using progress = new ProgressLine('reading', io);
    report = await buildImage({ ...given, onProgress: progress.show, signal: io.signal });
  } catch (error) {
    if (!(error instanceof NotRepresentable)) throw error;
    io.stderr.write(refusalText(error.problems));
    return exitCodes.failed;
  }
  for (const note of report.notes) io.stderr.write(`note: ${note}\n`);
  for (const problem of report.dropped) io.stderr.write(`lost: ${problemText(problem)}\n`);
  io.stdout.write(values.json === true ? jsonText(report, signer) : reportText(report, output, signer));
  return exitCodes.ok;
}

function sourceOf(source: string, io: CliIo): ImageSource {
  if (source === '-') return tarSource(io.stdin as AsyncIterable<Uint8Array>);
  const stats = statSync(source, { throwIfNoEntry: false });
  if (stats === undefined) throw new UsageError(`there is no ${source}`);
  return stats.isDirectory() ? directorySource(source) : tarSource(createReadStream(source));
}

async function signerOf(
  key: string | undefined,
  certificate: string | undefined,
): Promise<Signer | undefined> {
  if (key === undefined && certificate === undefined) return undefined;
  if (key === undefined || certificate === undefined) {
    throw new UsageError('--key and --certificate belong together');
  }
  return await loadSigner({ key, certificate });
}

function kindOf(word: string): ProblemKind {
  if (Object.hasOwn(problemKinds, word)) return word as ProblemKind;
  throw new UsageError(`--drop "${word}": must be one of ${kinds.map(([kind]) => kind).join(', ')}`);
}

interface CompressionValues {
  readonly 'no-compression'?: boolean | undefined;
  readonly level?: string | undefined;
  readonly 'min-size'?: string | undefined;
  readonly 'min-ratio'?: string | undefined;
}

function compressionOf(values: CompressionValues): Record<string, number | boolean> {
  const number = (name: keyof CompressionValues, least: number, most: number, whole: boolean): object => {
    const text = values[name];
    if (text === undefined) return {};
    const value = Number(text);
    if (text === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new UsageError(
        `--${name} "${String(text)}": must be ${whole ? 'a whole' : 'a'} number from ${least} to ${most}`,
      );
    }
    return { [name.replace(/-(\w)/, (_, letter: string) => letter.toUpperCase())]: value };
  };
  return {
    enabled: values['no-compression'] !== true,
    ...number('level', 1, 22, true),
    ...number('min-size', 0, Number.MAX_SAFE_INTEGER, true),
    ...number('min-ratio', 1, 1000, false),
  };
}

function problemText({ path, kind, reason }: Problem): string {
  return `${harmless(path)}: ${harmless(reason)} (${kind})`;
}

function refusalText(problems: readonly Problem[]): string {
  const found = [...new Set(problems.map((problem) => problem.kind))].join(',');
  return `${problems.map((problem) => `  ${problemText(problem)}\n`).join('')}ota image build: the image cannot carry ${problems.length === 1 ? 'this' : `these ${problems.length} things`}; nothing was built.
Leave them out with --ignore, or allow to lose them: --drop ${found}
`;
}

function reportText(report: BuildReport, output: string, signer: Signer | undefined): string {
  const { regulars, directories, symlinks, hardLinkGroups, persistents } = report;
  const saved = report.storedBytes === 0 ? 1 : report.contentBytes / report.storedBytes;
  return [
    `Built ${output}`,
    `  files        ${humanCount(regulars)}, ${humanBytes(report.totalBytes)}; hard-link groups: ${humanCount(hardLinkGroups)}`,
    `  directories  ${humanCount(directories)}${report.addedDirectories === 0 ? '' : `, of which added: ${report.addedDirectories}`}`,
    `  symlinks     ${humanCount(symlinks)}`,
    `  contents     ${humanCount(report.contents)}, ${humanBytes(report.contentBytes)}; compressed: ${humanCount(report.compressedContents)}`,
    `  stored       ${humanBytes(report.storedBytes)}, ratio ${saved.toFixed(2)}`,
    `  persistents  ${persistents.length === 0 ? 'none' : persistents.map((path) => harmless(path)).join(', ')}`,
    signer === undefined
      ? `Not signed yet: ota image sign --key FILE --certificate FILE ${output}`
      : `Signed by ${harmless(signer.subject)}`,
    '',
  ].join('\n');
}

function jsonText(report: BuildReport, signer: Signer | undefined): string {
  return `${JSON.stringify({
    directories: report.directories,
    symlinks: report.symlinks,
    regulars: report.regulars,
    hard_link_groups: report.hardLinkGroups,
    total_bytes: report.totalBytes,
    contents: report.contents,
    content_bytes: report.contentBytes,
    compressed_contents: report.compressedContents,
    stored_bytes: report.storedBytes,
    added_directories: report.addedDirectories,
    persistents: report.persistents,
    dropped: report.dropped,
    notes: report.notes,
    signed: signer !== undefined,
  })}\n`;
}

export const imageBuildCommand: Command = {
  name: 'image build',
  summary: 'Build an image from a directory or a tar stream',
  usage,
  options,
  choices: { drop: kinds.map(([kind]) => kind) },
  run,
};
