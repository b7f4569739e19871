import { loadSigner, signImage } from '#image/build/sign.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';
import { harmless } from './render-text.ts';

const usage = `Usage: ota image sign --key FILE --certificate FILE IMAGE

Signs an image: writes metadata.jwt and copies the certificate beside it. An image can be signed again.

  IMAGE   Directory that "ota image build" made

Options:
  --key FILE           Private key, PEM, EC P-256
  --certificate FILE   Its certificate, PEM; goes into the image under its own base name
  --json               One JSON object instead of text
  -h, --help           Show this help

Exit codes: 0 signed, 1 failed or refused, 2 called wrongly.

Example:
  ota image sign --key keys/sign.key --certificate keys/sign.pem image/
`;

const options = {
  key: { type: 'string' },
  certificate: { type: 'string' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [image, ...more] = positionals;
  const { key, certificate } = values;
  if (image === undefined || more.length > 0) throw new UsageError('one image directory is needed');
  if (key === undefined || certificate === undefined) {
    throw new UsageError('--key and --certificate are needed');
  }
  const signer = await loadSigner({ key, certificate });
  await signImage(image, signer);
  if (values.json === true) {
    const json = {
      subject: signer.subject,
      valid_to: signer.validTo.toISOString(),
      certificate: signer.certificateName,
    };
    io.stdout.write(`${JSON.stringify(json)}\n`);
  } else {
    const until = signer.validTo.toISOString().slice(0, 10);
    io.stdout.write(`Signed ${image} by ${harmless(signer.subject)}, valid until ${until}\n`);
  }
  return exitCodes.ok;
}

export const imageSignCommand: Command = {
  name: 'image sign',
  summary: 'Sign an image',
  usage,
  options,
  run,
};
