import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// `npm run generate:check`: generates the protobuf code anew beside the tree and fails when src/gen differs in any byte.

const root = join(import.meta.dirname, '..');
const fresh = mkdtempSync(join(tmpdir(), 'generate-check-'));
try {
  execFileSync('buf', ['generate', '--output', fresh], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const differing = differences(join(fresh, 'src/gen'), join(root, 'src/gen'));
  for (const line of differing) process.stderr.write(`src/gen/${line}\n`);
  if (differing.length > 0) {
    process.stderr.write(
      'src/gen is not what proto/ generates: run `npm run generate` and commit the result\n',
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

function differences(wanted: string, found: string): string[] {
  const files = (folder: string) => globSync('**/*.ts', { cwd: folder }).toSorted();
  const [generated, committed] = [files(wanted), files(found)];
  if (generated.length === 0) throw new Error('buf generated nothing');
  return [
    ...generated.filter((name) => !committed.includes(name)).map((name) => `${name} is missing`),
    ...committed
      .filter((name) => !generated.includes(name))
      .map((name) => `${name} is not generated any more`),
    ...generated
      .filter((name) => committed.includes(name))
      .filter((name) => !readFileSync(join(wanted, name)).equals(readFileSync(join(found, name))))
      .map((name) => `${name} differs`),
  ];
}
