import { randomBytes } from 'node:crypto';
import { digestOfToken } from '#api/console/token-digest.ts';
import { callerName } from '#config/console-tokens.ts';
import { type Role, roles } from '#domain/role.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';

const usage = `Usage: ota console token NAME --role ROLE [--json]

Makes a token that lets somebody into the console. The token goes to the one whom NAME names; the line goes into the file
that the option console.tokens_file of the daemon names, below "tokens:". The file holds a digest only: whoever reads it
cannot come in, and the token cannot be shown again. The daemon reads the file again when it changes.

Options:
  --role ROLE   viewer, operator, or metrics (reads /metrics and nothing else)
  --json        One JSON object instead of text
  -h, --help    Show this help

Exit codes: 0 done, 2 called wrongly.

Example:
  ota console token workshop --role operator
`;

const options = { role: { type: 'string' }, json: { type: 'boolean' } } as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [name, ...more] = positionals;
  if (name === undefined) throw new UsageError('NAME is missing');
  if (more.length > 0) throw new UsageError(`"${more[0]}" is not expected here`);
  if (!callerName.test(name)) {
    throw new UsageError('NAME may have 1 to 64 letters, digits, dots, dashes, underscores and @');
  }
  const role = roles.find((one) => one === values.role);
  if (role === undefined) throw new UsageError(`--role must be one of ${roles.join(', ')}`);
  const token = randomBytes(32).toString('base64url');
  io.stdout.write(values.json === true ? asJson(name, role, token) : asText(name, role, token));
  return exitCodes.ok;
}

function asJson(name: string, role: Role, token: string): string {
  return `${JSON.stringify({ type: 'console_token', token, entry: { name, role, sha256: digestOfToken(token) } })}\n`;
}

function asText(name: string, role: Role, token: string): string {
  return `token for ${name}, shown only now:
  ${token}
line for the file of console.tokens_file:
  - { name: ${JSON.stringify(name)}, role: ${role}, sha256: ${digestOfToken(token)} }
`;
}

export const consoleTokenCommand: Command = {
  name: 'console token',
  summary: 'Make a token that lets somebody into the console',
  usage,
  options,
  run,
};
