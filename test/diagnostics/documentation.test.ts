import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseCampaign } from '#diagnostics/campaign/parse-campaign.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/diagnostics.md'), 'utf8');

/** The code blocks of the page in one language. */
function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );
}

describe('the page about diagnostics', () => {
  it('has an example of the message library that runs as it is', async (t) => {
    const [example = ''] = blocks('ts');
    const directory = await scratchDirectory(t);
    await writeFile(join(directory, 'package.json'), '{"type":"module","imports":{"#*":"./src/*"}}');
    await symlink(join(root, 'src'), join(directory, 'src'));
    await writeFile(join(directory, 'example.ts'), example);
    const printed = execFileSync(process.execPath, ['example.ts'], { cwd: directory, timeout: 60_000 });
    assert.match(printed.toString(), /^Vehicle\.Speed 1795593600000000n \{ float: 12\.5 \}\n$/);
  });

  it('has campaigns that are valid', () => {
    const campaigns = blocks('yaml').filter((text) => text.startsWith('id:'));
    assert.ok(campaigns.length > 0);
    for (const text of campaigns) {
      const read = parseCampaign(text, 'docs/diagnostics.md');
      assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.problems));
    }
  });
});

describe('the message library', () => {
  it('imports nothing of this project, and one package', () => {
    const folder = join(root, 'src/diagnostics/messages');
    const imported = readdirSync(folder).flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/(?:from|import) '([^']+)'/g)].map(
        ([, from = '']) => from,
      ),
    );
    assert.ok(imported.length > 20);
    const others = new Set(imported.filter((from) => !from.startsWith('./')));
    assert.deepEqual([...others].toSorted(), ['avsc', 'node:zlib']);
  });
});
