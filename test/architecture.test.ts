import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { breaches, type HouseRules } from './support/house-rules.ts';
import { readSources, type SourceFile, scanImports } from './support/module-graph.ts';

const root = join(import.meta.dirname, '..');
const packageJson: { readonly dependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);

/** Are built into the page, and not installed on vehicles. */
const pagePackages = ['@connectrpc/connect-web', '@preact/signals', 'preact', 'uplot'];

const words = ['config', 'domain'];
const tools = ['host', ...words];
const parts = ['image', 'boot', 'net', ...tools];
const engine = ['update', ...parts];
const vehicle = ['ecu', 'proxy', 'diagnostics', ...engine];

/** docs/architecture.md draws this. Imports point down; a sibling is named here or not imported. */
const rules: HouseRules = {
  mayImport: {
    'main.ts': ['app', 'config', 'domain'],
    'cli.ts': ['cli', 'domain'],
    app: ['api', 'dashboard', ...vehicle],
    cli: ['api', ...vehicle],
    dashboard: ['api', ...vehicle],
    // Runs in browsers: knows the console API, and nothing of the daemon.
    'dashboard/page': ['gen'],
    api: ['gen', ...vehicle],
    ecu: engine,
    proxy: engine,
    diagnostics: engine,
    update: parts,
    image: tools,
    boot: tools,
    net: tools,
    host: words,
    config: ['domain'],
    domain: [],
    gen: [],
  },
  exceptions: {
    // `ota serve` is the daemon; nothing in app knows the command line.
    'src/cli/serve.ts': ['app'],
  },
  homes: {
    'node:child_process': ['host'],
    'node:worker_threads': ['host'],
    '@grpc/grpc-js': ['api'],
    '@grpc/reflection': ['api'],
    'grpc-health-check': ['api'],
    '@bufbuild/protobuf': ['api', 'dashboard/page'],
    '@connectrpc/connect': ['api', 'dashboard/page'],
    '@connectrpc/connect-node': ['api'],
    ...Object.fromEntries(pagePackages.map((name) => [name, ['dashboard/page']])),
    'prom-client': ['api'],
    undici: ['net'],
    xstate: ['update'],
    'tar-stream': ['image'],
    ignore: ['image'],
    avsc: ['diagnostics'],
  },
  packages: [...Object.keys(packageJson.dependencies), ...pagePackages],
  forbiddenFolders: ['util', 'utils', 'lib', 'common', 'helper', 'helpers', 'misc', 'shared'],
  maxLines: 350,
};

function breachesOf(files: Record<string, string>): string[] {
  return breaches(
    Object.entries(files).map(([path, text]) => ({ path, text })),
    rules,
  );
}

describe('the house', () => {
  const sources = readSources(root, 'src');
  const files = ['test', 'scripts'].reduce<SourceFile[]>(
    (all, folder) => [...all, ...readSources(root, folder)],
    sources,
  );

  it('is really looked at', () => {
    const imports = sources.flatMap((file) => scanImports(file));
    assert.ok(sources.length >= 20, `only ${sources.length} modules found`);
    assert.ok(imports.length >= 50, `only ${imports.length} imports found`);
  });

  it('keeps its rules', () => {
    assert.deepEqual(breaches(files, rules), []);
  });
});

describe('the rules of the house', () => {
  it('refuse imports that point up, or to a sibling that the table does not name', () => {
    assert.deepEqual(
      breachesOf({
        'src/domain/a.ts': "import { b } from '#config/b.ts';\n",
        'src/config/b.ts': "import type { c } from '#host/c.ts';\n",
        'src/host/c.ts': "export * from '#update/d.ts';\n",
        'src/update/d.ts': "const e = await import('#api/e.ts');\n",
        'src/api/e.ts': "let f: import('#dashboard/f.ts').F;\n",
        'src/dashboard/f.ts': "import '#app/g.ts';\n",
        'src/app/g.ts': '',
        'src/image/h.ts': "export {\n  i,\n} from '#net/i.ts';\n",
        'src/net/i.ts': "new Worker(new URL('../update/d.ts', import.meta.url));\n",
      }).filter((breach) => breach.includes('may not')),
      [
        'src/domain/a.ts: domain may not import #config/b.ts',
        'src/config/b.ts: config may not import #host/c.ts',
        'src/host/c.ts: host may not import #update/d.ts',
        'src/update/d.ts: update may not import #api/e.ts',
        'src/api/e.ts: api may not import #dashboard/f.ts',
        'src/dashboard/f.ts: dashboard may not import #app/g.ts',
        'src/image/h.ts: image may not import #net/i.ts',
        'src/net/i.ts: net may not import ../update/d.ts',
      ],
    );
  });

  it('allow what points down', () => {
    assert.deepEqual(
      breachesOf({
        'src/main.ts': "import { run } from '#app/run.ts';\n",
        'src/app/run.ts': "import { a } from '#api/a.ts';\nimport { c } from './inner/c.ts';\n",
        'src/app/inner/c.ts': "import { readFile } from 'node:fs/promises';\n",
        'src/api/a.ts': "import { x } from '#gen/x.ts';\nimport * as grpc from '@grpc/grpc-js';\n",
        'src/gen/x.ts': 'export default 1;\n',
      }),
      [],
    );
  });

  it('allow an exception to the named module only', () => {
    assert.deepEqual(
      breachesOf({
        'src/cli/serve.ts': "const { run } = await import('#app/run.ts');\n",
        'src/cli/status.ts': "import { run } from '#app/run.ts';\n",
        'src/app/run.ts': '',
      }),
      ['src/cli/status.ts: cli may not import #app/run.ts'],
    );
  });

  it('let only api and the page import generated code', () => {
    const files = { 'src/app/a.ts': "import { x } from '#gen/x.ts';\n", 'src/gen/x.ts': '' };
    assert.deepEqual(breachesOf(files), ['src/app/a.ts: app may not import #gen/x.ts']);
  });

  it('keep the page apart from the daemon, in both directions', () => {
    assert.deepEqual(
      breachesOf({
        'src/dashboard/page/a.tsx':
          "import { x } from '#gen/x.ts';\nimport { render } from 'preact';\nimport { b } from '#dashboard/b.ts';\n",
        'src/dashboard/b.ts': "import { c } from './page/c.ts';\nimport uPlot from 'uplot';\n",
        'src/dashboard/page/c.ts': '',
        'src/gen/x.ts': '',
      }),
      [
        'src/dashboard/page/a.tsx: dashboard/page may not import #dashboard/b.ts',
        'src/dashboard/b.ts: dashboard may not import ./page/c.ts',
        'src/dashboard/b.ts: only dashboard/page may import uplot',
      ],
    );
  });

  it('refuse ../, # within one folder, what does not exist, and folders outside the table', () => {
    assert.deepEqual(
      breachesOf({
        'src/app/a.ts': "import { b } from '../domain/b.ts';\nimport { c } from '#app/c.ts';\n",
        'src/app/c.ts': "import { d } from './d.ts';\n",
        'src/domain/b.ts': '',
        'src/novel/e.ts': "import { b } from '#domain/b.ts';\n",
      }),
      [
        'src/app/a.ts: imports ../domain/b.ts; write #domain/b.ts',
        'src/app/a.ts: imports #app/c.ts of its own folder; write ./',
        'src/app/c.ts: imports ./d.ts, which does not exist',
        'src/novel/e.ts: novel is not in the table of who may import whom',
        'src/novel/e.ts: novel may not import #domain/b.ts',
      ],
    );
  });

  it('refuse a cycle, even one of types, and not a worker that is started by URL', () => {
    assert.deepEqual(
      breachesOf({
        'src/domain/a.ts': "import type { B } from './b.ts';\n",
        'src/domain/b.ts': "export type { C } from './c.ts';\n",
        'src/domain/c.ts': "import type { A } from './a.ts';\n",
        'src/host/crew.ts': "new Worker(new URL('./crew-worker.ts', import.meta.url));\n",
        'src/host/crew-worker.ts': "import type { Crew } from './crew.ts';\n",
      }),
      ['cycle: src/domain/a.ts > src/domain/b.ts > src/domain/c.ts > src/domain/a.ts'],
    );
  });

  it('keep packages where they belong, and out where they are not installed', () => {
    assert.deepEqual(
      breachesOf({
        'src/update/a.ts':
          "import { spawn } from 'node:child_process';\nimport { connect } from '@grpc/grpc-js';\n",
        'src/config/b.ts': "import ts from 'typescript';\nimport fs from 'fs';\n",
      }),
      [
        'src/update/a.ts: only host may import node:child_process',
        'src/update/a.ts: only api may import @grpc/grpc-js',
        'src/config/b.ts: imports typescript, which is not among the dependencies',
        'src/config/b.ts: imports fs, which is not among the dependencies',
      ],
    );
  });

  it('refuse default exports, long files and folders that say nothing', () => {
    assert.deepEqual(
      breachesOf({
        'src/domain/a.ts': 'export default class A {}\n',
        'src/domain/b.ts': 'const b = 1;\nexport { b as default };\n',
        'src/domain/c.ts': '//\n'.repeat(351),
        'src/domain/d.ts': '//\n'.repeat(350),
        'src/domain/util/e.ts': '',
        'test/helpers/f.ts': '',
      }),
      [
        'src/domain/a.ts: has a default export',
        'src/domain/b.ts: has a default export',
        'src/domain/c.ts: 351 lines, more than 350',
        'src/domain/util/e.ts: a folder called util says nothing about what is in it',
        'test/helpers/f.ts: a folder called helpers says nothing about what is in it',
      ],
    );
  });

  it('pass over no import that cannot be read', () => {
    assert.throws(() => scanImports({ path: 'a.ts', text: 'import { a } from `b`;\n' }), /not understood/);
    assert.throws(() => scanImports({ path: 'a.ts', text: 'await import(name);\n' }), /literal/);
  });
});
