import * as z from 'zod';
import { type Role, roles } from '#domain/role.ts';
import type { ConfigProblem } from './config-error.ts';
import { readConfigFile } from './config-file.ts';
import { schemaProblems } from './schema-problems.ts';
import { parseYaml } from './yaml-source.ts';

/** Who may come in with one token. */
export interface ConsoleToken {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token: the token itself is written down nowhere. */
  readonly sha256: Buffer;
}

export interface ConsoleTokens {
  readonly tokens: readonly ConsoleToken[];
  /** When there are any, nobody gets in by this file. */
  readonly problems: readonly ConfigProblem[];
}

const wrongTokens = { error: 'write a list of at most 1000 entries `{ name, role, sha256 }`' };
const wrongName = { error: 'write a name of 1 to 64 letters, digits, dots, dashes, underscores and @' };
const wrongRole = { error: `write one of ${roles.join(', ')}` };
const wrongDigest = { error: 'write the 64 hexadecimal digits that `ota console token` prints' };

/** What the name of a caller may be: it stands in logs and in the journal. */
export const callerName = /^[\w.@-]{1,64}$/;

const schema = z.object({
  tokens: z
    .array(
      z.object(
        {
          name: z.string(wrongName).regex(callerName, wrongName),
          role: z.enum(roles, wrongRole),
          sha256: z.string(wrongDigest).regex(/^[\da-fA-F]{64}$/, wrongDigest),
        },
        wrongTokens,
      ),
      wrongTokens,
    )
    .max(1000, wrongTokens),
});

/** Reads the file that the option `console.tokens_file` names. Never throws for what it finds there. */
export async function readConsoleTokens(file: string): Promise<ConsoleTokens> {
  const read = await readConfigFile(file);
  if (!read.ok) return { tokens: [], problems: [read.problem] };
  const yaml = parseYaml(read.text, file);
  if (!yaml.ok) return { tokens: [], problems: yaml.problems };
  const { source } = yaml;
  const parsed = schema.safeParse(source.value);
  if (!parsed.success) {
    const isDigest = (path: readonly (string | number)[]) => path.at(-1) === 'sha256';
    const found = schemaProblems(parsed.error, source.value, isDigest);
    return { tokens: [], problems: found.map((p) => source.problem(p.code, p.path, p.what, p.mend)) };
  }
  const tokens = parsed.data.tokens.map(({ name, role, sha256 }) => {
    return { name, role, sha256: Buffer.from(sha256, 'hex') };
  });
  return { tokens, problems: [] };
}
