import { type ImageSummary, inspectImage } from '#image/build/inspect.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';
import { openImage } from './image-location.ts';
import { harmless } from './render-text.ts';
import { humanBytes, humanCount } from './render-units.ts';

const usage = `Usage: ota image inspect [--json] IMAGE

Shows what an image holds and who signed it. Nothing is verified: see "ota image verify".

  IMAGE   Directory or base URL (http, https)

Options:
  --json       One JSON object instead of text
  -h, --help   Show this help

Exit codes: 0 shown, 1 failed, 2 called wrongly.
`;

const options = { json: { type: 'boolean' } } as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [location, ...more] = positionals;
  if (location === undefined || more.length > 0) throw new UsageError('one image is needed');
  await using image = openImage(location);
  const summary = await inspectImage(image.access, io.signal);
  io.stdout.write(values.json === true ? jsonText(summary) : summaryText(summary, location));
  return exitCodes.ok;
}

function summaryText(summary: ImageSummary, location: string): string {
  const { contents, contentBytes, storedBytes, persistents, largest } = summary;
  const stored =
    storedBytes === null
      ? 'unknown'
      : `${humanBytes(storedBytes)}, ratio ${(storedBytes === 0 ? 1 : contentBytes / storedBytes).toFixed(2)}`;
  const linked = `${humanCount(summary.hardLinkedFiles)} in ${humanCount(summary.hardLinkGroups)} groups`;
  return [
    location,
    `  files        ${humanCount(summary.regulars)}, ${humanBytes(summary.totalBytes)}`,
    `  hard links   ${summary.hardLinkGroups === 0 ? 'none' : linked}`,
    `  directories  ${humanCount(summary.directories)}`,
    `  symlinks     ${humanCount(summary.symlinks)}`,
    `  contents     ${humanCount(contents)}, ${humanBytes(contentBytes)}; compressed: ${humanCount(summary.compressedContents)}`,
    `  stored       ${stored}`,
    `  persistents  ${persistents.length === 0 ? 'none' : persistents.map((path) => harmless(path)).join(', ')}`,
    '  largest',
    ...largest.map(({ path, bytes }) => `    ${humanBytes(bytes).padStart(8)}  ${harmless(path)}`),
    ...signatureLines(summary.signature),
    '',
  ].join('\n');
}

function signatureLines(signature: ImageSummary['signature']): string[] {
  if (signature === null) return ['  signature    none'];
  const { subject, issuer, validFrom, validTo, matches } = signature;
  return [
    `  signature    ${matches ? 'made by the certificate in the image; trust was not checked' : 'WRONG: not made by the certificate in the image'}`,
    `  signed by    ${harmless(subject)}`,
    `  issued by    ${harmless(issuer)}`,
    `  valid        ${validFrom.slice(0, 10)} to ${validTo.slice(0, 10)}`,
    `  fingerprint  ${signature.fingerprint}`,
  ];
}

function jsonText({ signature, ...summary }: ImageSummary): string {
  return `${JSON.stringify({
    signature:
      signature === null
        ? null
        : {
            subject: signature.subject,
            issuer: signature.issuer,
            valid_from: signature.validFrom,
            valid_to: signature.validTo,
            fingerprint: signature.fingerprint,
            matches: signature.matches,
          },
    regulars: summary.regulars,
    total_bytes: summary.totalBytes,
    directories: summary.directories,
    symlinks: summary.symlinks,
    hard_link_groups: summary.hardLinkGroups,
    hard_linked_files: summary.hardLinkedFiles,
    contents: summary.contents,
    content_bytes: summary.contentBytes,
    compressed_contents: summary.compressedContents,
    stored_bytes: summary.storedBytes,
    largest: summary.largest,
    persistents: summary.persistents,
  })}\n`;
}

export const imageInspectCommand: Command = {
  name: 'image inspect',
  summary: 'Show what an image holds and who signed it',
  usage,
  options,
  run,
};
