import { makeKeys } from '#image/build/keys.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';

const usage = `Usage: ota image keys [options] DIR

Makes the keys and certificates (EC P-256) that sign images: a root, an intermediate and a signing key. Nothing is ever
overwritten.

  CHAIN.root.pem, CHAIN.intermediate.pem  for the trust directory of every vehicle
  CHAIN.root.key, CHAIN.intermediate.key  make further certificates: keep them off line
  sign.pem, sign.key                      for "ota image sign"

Options:
  --chain NAME           Name of the chain (default ota)
  --organization NAME    Written into the certificates
  --days N               How long the signing certificate is valid (default 730)
  --json                 One JSON object instead of text
  -h, --help             Show this help

Exit codes: 0 made, 1 failed or refused, 2 called wrongly.

Example:
  ota image keys --chain fleet keys/
`;

const options = {
  chain: { type: 'string' },
  organization: { type: 'string' },
  days: { type: 'string' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [directory, ...more] = positionals;
  if (directory === undefined || more.length > 0) throw new UsageError('one directory is needed');
  const { chain, organization, days } = values;
  if (days !== undefined && !/^\d{1,5}$/.test(days))
    throw new UsageError(`--days "${days}": must be a number`);
  const files = await makeKeys({
    directory,
    ...(chain === undefined ? {} : { chain }),
    ...(organization === undefined ? {} : { organization }),
    ...(days === undefined ? {} : { days: Number(days) }),
  });
  if (values.json === true) {
    const json = {
      trust: files.trust,
      root_key: files.rootKey,
      intermediate_key: files.intermediateKey,
      sign_certificate: files.signCertificate,
      sign_key: files.signKey,
    };
    io.stdout.write(`${JSON.stringify(json)}\n`);
    return exitCodes.ok;
  }
  io.stdout.write(
    `For the trust directory of every vehicle:\n  ${files.trust.join('\n  ')}\n` +
      `Keep off line:\n  ${files.rootKey}\n  ${files.intermediateKey}\n` +
      `Sign with:\n  ota image sign --key ${files.signKey} --certificate ${files.signCertificate} IMAGE\n`,
  );
  return exitCodes.ok;
}

export const imageKeysCommand: Command = {
  name: 'image keys',
  summary: 'Make keys and certificates that sign images',
  usage,
  options,
  run,
};
