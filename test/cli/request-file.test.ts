import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { UpdateRequest } from '#gen/otaclient_v2_pb.ts';
import { runOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { acceptingPeer } from '../support/scripted-peer.ts';

const secret = 's3cr3t-v4lue';
const cookies = JSON.stringify({ CloudFrontPolicy: secret });

test('--request takes the list of existing tools, in YAML and in JSON, with versions as text', async (t) => {
  const { peer, requests } = await acceptingPeer(t);
  const file = join(await scratchDirectory(t), 'request.yaml');
  const yaml = `
- ecu_id: main
  version: 1.10
  url: http://10.0.0.9/a
  cookies: '${cookies}'
- ecu_id: camera
  version: 123.x
  url: http://10.0.0.9/b
  cookies:
    name: 2
  release_name: spring
  force: true
- {ecu_id: radar, version: v1, url: http://10.0.0.9/c, cookies: }
`;
  await writeFile(file, yaml);
  const env = { OTA_COOKIES: '{"default":"x"}' };
  const args = ['update', '--host', peer.address, '--request'];
  assert.equal((await runOta(t, [...args, file], { env })).code, 0);
  assert.deepEqual(
    requests[0]?.ecu.map((entry) => [entry.ecuId, entry.version, entry.cookies, entry.releaseName]),
    [
      ['main', '1.10', cookies, ''],
      ['camera', '123.x', '{"name":"2"}', 'spring'],
      ['radar', 'v1', '{"default":"x"}', ''],
    ],
  );
  const forced = (request: UpdateRequest | undefined) => request?.ecu.map(({ force }) => force);
  assert.deepEqual(forced(requests[0]), [false, true, false]);
  const json = JSON.stringify([{ ecu_id: 'main', version: '1', url: 'http://h/', cookies: null }]);
  assert.equal((await runOta(t, [...args, '-', '--force'], { stdin: json })).code, 0);
  assert.deepEqual(forced(requests[1]), [true], 'for all entries of the file');
  assert.deepEqual(
    requests[1]?.ecu.map((entry) => [entry.ecuId, entry.version, entry.cookies]),
    [['main', '1', '']],
  );
});

test('a broken request file is told with entry and key, never with its secrets', async (t) => {
  const broken = async (stdin: string): Promise<string> => {
    const { code, stderr } = await runOta(t, ['update', '--request', '-'], { stdin });
    assert.equal(code, 2, stdin);
    assert.ok(!stderr.includes(secret), stderr);
    return stderr;
  };
  assert.match(await broken('- ecu_id: main\n  version: 1\n'), /stdin: entry 1: url is missing/);
  assert.match(
    await broken('- {ecu_id: a, vesion: 1}'),
    /entry 1: unknown key "vesion"; known are ecu_id, version/,
  );
  assert.match(
    await broken(`- {ecu_id: a, version: 1, url: u, cookies: ${secret}}`),
    /entry 1: cookies: expected/,
  );
  assert.match(
    await broken('- {ecu_id: a, version: 1, url: u, force: yes}'),
    /entry 1: force: expected true or false/,
  );
  assert.match(
    await broken(`[{cookies: '${secret}', a: `),
    /stdin: is no valid YAML or JSON at character \d+/,
  );
  assert.match(await broken(''), /expected a list/);
  assert.match(
    await broken('- &a {ecu_id: main, version: 1, url: u}\n- *a\n'),
    /stdin: ECU "main" is named twice/,
  );
});
