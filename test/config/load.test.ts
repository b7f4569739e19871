import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadConfig } from '#config/load.ts';

describe('loading the configuration', () => {
  let cwd = '';
  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'config-load-'));
  });
  afterEach(() => rm(cwd, { recursive: true }));

  async function put(name: string, text: string): Promise<string> {
    const file = join(cwd, name);
    await writeFile(file, text);
    return file;
  }

  it('takes an explicit path before the variable before the files of the directory', async () => {
    const explicit = await put('explicit.yml', 'ecu_id: explicit');
    const named = await put('named.yml', 'ecu_id: named');
    await put('ecu_info.yaml', 'ecu_id: long');
    const env = { OTA_ECU_INFO: named };
    assert.equal((await loadConfig({ ecuInfoPath: explicit, env, cwd })).ecuInfo.ecuId, 'explicit');
    assert.equal((await loadConfig({ env, cwd })).ecuInfo.ecuId, 'named');
    assert.equal((await loadConfig({ env: {}, cwd })).ecuInfo.ecuId, 'long');
    const short = await put('ecu_info.yml', 'ecu_id: short');
    const loaded = await loadConfig({ env: {}, cwd });
    assert.equal(loaded.ecuInfo.ecuId, 'short');
    assert.equal(loaded.files.ecuInfo, short);
  });

  it('finds options likewise, and needs none', async () => {
    await put('ecu_info.yml', 'ecu_id: a');
    const none = await loadConfig({ env: {}, cwd });
    assert.equal(none.problem, undefined);
    const here = await put('ota.yml', 'workers: {count: 1}');
    const named = await put('named.yml', 'workers: {count: 2}');
    const explicit = await put('explicit.yml', 'workers: {count: 3}');
    const count = async (sources: object) =>
      (await loadConfig({ env: {}, cwd, ...sources })).options.workers.count;
    assert.equal((await loadConfig({ env: {}, cwd })).files.options, here);
    assert.equal(await count({}), 1);
    assert.equal(await count({ env: { OTA_OPTIONS: named } }), 2);
    assert.equal(await count({ env: { OTA_OPTIONS: named }, optionsPath: explicit }), 3);
  });

  it('tells a file that was named and is not there', async () => {
    const loaded = await loadConfig({
      ecuInfoPath: '/nowhere/e.yml',
      optionsPath: '/nowhere/o.yml',
      env: {},
      cwd,
    });
    assert.deepEqual(
      loaded.problem?.problems.map((p) => `${p.file} ${p.code}`),
      ['/nowhere/e.yml file_missing', '/nowhere/o.yml file_missing'],
    );
    assert.equal(loaded.ecuInfo.ecuId, 'autoware');
    assert.equal(loaded.options.listen.port, 50051);
  });

  it('does not pass over a file that cannot be read', async () => {
    await mkdir(join(cwd, 'ecu_info.yml'));
    await put('ecu_info.yaml', 'ecu_id: other');
    const loaded = await loadConfig({ env: {}, cwd });
    assert.equal(loaded.problem?.code, 'file_unreadable');
  });

  it('collects the problems of both files', async () => {
    await put('ecu_info.yml', 'ecu_id: 1');
    await put('ota.yml', 'workers: {count: x}');
    const { problem } = await loadConfig({ env: { OTA_LOG_LEVEL: 'x' }, cwd });
    assert.deepEqual(
      problem?.problems.map((p) => p.key),
      ['ecu_id', 'workers.count', 'OTA_LOG_LEVEL'],
    );
  });

  it('listens where ecu_info says, unless the options say otherwise', async () => {
    await put('ecu_info.yml', 'ecu_id: a\nip_addr: 10.0.0.1\nport: 50052');
    const listen = async (env: Record<string, string>) => (await loadConfig({ env, cwd })).listen;
    assert.deepEqual(await listen({}), { host: '10.0.0.1', port: 50052 });
    await put('ota.yml', 'listen: {host: 0.0.0.0, port: 50053}');
    assert.deepEqual(await listen({}), { host: '0.0.0.0', port: 50052 });
    assert.deepEqual(await listen({ OTA_LISTEN_PORT: '50054' }), { host: '0.0.0.0', port: 50054 });
    await put('ecu_info.yml', 'ecu_id: a');
    assert.deepEqual(await listen({}), { host: '0.0.0.0', port: 50053 });
  });

  it("reads the repository's own vehicle of four ECUs", async () => {
    const { ecuInfo, problem } = await loadConfig({
      ecuInfoPath: join(import.meta.dirname, '../../ecu_info.yml'),
      env: {},
      cwd,
    });
    assert.equal(problem, undefined);
    assert.deepEqual(ecuInfo.availableEcuIds, ['main', 'adas', 'cockpit', 'camera']);
    assert.deepEqual(
      ecuInfo.secondaries.map((s) => `${s.ecuId} ${s.host}`),
      ['adas 127.0.0.2', 'cockpit 127.0.0.3'],
    );
  });
});
