import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { runConfigCheck } from '#cli/config-check.ts';

describe('ota config check', () => {
  let cwd = '';
  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'config-check-'));
  });
  afterEach(() => rm(cwd, { recursive: true }));

  async function run(
    files: Record<string, string>,
    env: Record<string, string> = {},
    json = false,
    filesOnly = false,
  ) {
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
    const written = { out: '', err: '' };
    const code = await runConfigCheck({
      json,
      filesOnly,
      env,
      cwd,
      stdout: { write: (text) => (written.out += text) },
      stderr: { write: (text) => (written.err += text) },
    });
    return { code, ...written };
  }

  const good = 'ecu_id: main\nbootloader: directory\nsecondaries: [{ecu_id: adas, ip_addr: "fd00::2"}]\n';

  it('shows what was loaded from where, and ends with 0', async () => {
    const { code, out, err } = await run({ 'ecu_info.yml': good }, { OTA_LISTEN_PORT: '50060' });
    assert.equal(code, 0);
    assert.equal(err, '');
    assert.ok(out.includes(join(cwd, 'ecu_info.yml')), out);
    assert.match(out, /listens on +127\.0\.0\.1:50060/);
    assert.match(out, /child +adas at \[fd00::2\]:50051/);
    assert.match(out, /listen\.port +50060 from OTA_LISTEN_PORT/);
    assert.match(out, /no problems found/);
  });

  it('tells every problem with file, line, key and mend, and ends with 1', async () => {
    const { code, err } = await run({
      'ecu_info.yml': 'ecu_id: a\nip_addr: x\n',
      'ota.yml': 'log: {level: x}\n',
    });
    assert.equal(code, 1);
    const lines = err.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /ecu_info\.yml:2: ip_addr is "x"; write an IP address/);
    assert.match(lines[1] ?? '', /ota\.yml:1: log\.level is "x"; write fatal/);
    assert.equal(lines[2], '2 problems found');
  });

  it('tells of conditions over signals that nothing brings, which the daemon only warns of', async () => {
    const options = 'preconditions: { reboot: [{ name: parked, when: Vehicle.Speed < 0.1 }] }\n';
    const { code, err } = await run({ 'ecu_info.yml': good, 'ota.yml': options });
    assert.equal(code, 1);
    assert.match(
      err,
      /ota\.yml: preconditions\.reboot\[0\]\.when asks for Vehicle\.Speed, which no source brings; set diagnostics\.kuksa/,
    );
  });

  it('ends with 1 for an option that nobody knows, which the daemon only ignores', async () => {
    const { code, err } = await run({ 'ecu_info.yml': good, 'ota.yml': 'lissten: {port: 1}\n' });
    assert.equal(code, 1);
    assert.match(err, /ota\.yml:1: lissten is not an option; write listen, or take it out\n1 problem found/);
  });

  it('writes one JSON object with --json', async () => {
    const { code, out, err } = await run({ 'ecu_info.yml': 'ecu_id: 5\n' }, {}, true);
    assert.equal(code, 1);
    assert.equal(err, '');
    const report = JSON.parse(out);
    assert.equal(report.ok, false);
    assert.deepEqual(report.problems, [
      {
        code: 'value_invalid',
        file: join(cwd, 'ecu_info.yml'),
        key: 'ecu_id',
        what: 'is 5',
        mend: 'write a name of 1 to 128 printable characters, in quotes if it is a number',
        line: 1,
        column: 1,
      },
    ]);
    assert.equal(report.ecu_info.ecu_id, 'autoware');
  });

  it('shows the boot control, why it is this one, and where its slots are', async () => {
    const slots = join(cwd, 'slots');
    const files = { 'ecu_info.yml': 'ecu_id: main\n', 'ota.yml': `boot: {directory: {path: ${slots}}}\n` };
    const { code, out } = await run(files);
    assert.equal(code, 0, out);
    assert.match(out, /boot control +directory: boot\.directory\.path is \S+slots$/m);
    assert.match(out, new RegExp(`slot_a +${slots}/slot_a\n +status +${slots}/status/slot_a`));
    const { boot } = JSON.parse((await run({}, {}, true)).out);
    assert.deepEqual(
      [boot.control, boot.booted, boot.slots.slot_b.place],
      ['directory', null, join(slots, 'slot_b')],
    );
  });

  it('tells why the boot control cannot be used on this machine, and what to do, and ends with 1', async () => {
    const files = { 'ecu_info.yml': 'ecu_id: main\nbootloader: command\n' };
    const { code, err } = await run(files);
    assert.equal(code, 1);
    assert.match(
      err,
      /ecu_info\.yml: bootloader command cannot be used .* name one with the option boot\.command\.path/,
    );
    assert.match(err, /see "Boot loaders" in docs\/operations\.md.*\n1 problem found/);
    const { boot, problems, ok } = JSON.parse((await run({}, {}, true)).out);
    assert.deepEqual([ok, boot.control, problems[0].code], [false, 'command', 'boot_unusable']);
  });

  it('leaves the machine out of it with --files-only', async () => {
    const { code, out } = await run(
      { 'ecu_info.yml': 'ecu_id: main\nbootloader: command\n' },
      {},
      false,
      true,
    );
    assert.equal(code, 0);
    assert.doesNotMatch(out, /boot control/);
  });

  it('looks at the files of sources of signals, and reads a drive whole', async () => {
    const drive = 'time,path,value\n0,Vehicle.Speed,1\n2.5,Vehicle.Speed,2\n';
    const options = `diagnostics:
  kuksa: { address: "127.0.0.1:1", token_file: ${join(cwd, 'token')} }
  replay: { file: ${join(cwd, 'drive.csv')} }
`;
    const files = { 'ecu_info.yml': good, 'ota.yml': options, token: 'a.secret.token\n', 'drive.csv': drive };
    const fine = await run(files);
    assert.equal(fine.err, '');
    assert.match(fine.out, /diagnostics\.kuksa +127\.0\.0\.1:1, not encrypted, with a token/);
    assert.match(fine.out, /diagnostics\.replay\.file +2 values of 1 signals, 2\.5 s/);
    assert.doesNotMatch(fine.out, /secret/);
    const bad = await run({
      ...files,
      token: 'a.secret token',
      'drive.csv': `${drive}3,Vehicle.Speed,fast\n`,
    });
    assert.equal(bad.code, 1);
    assert.match(bad.err, /diagnostics\.kuksa cannot be used: .*token is to hold one token and nothing else/);
    assert.match(
      bad.err,
      /diagnostics\.replay\.file cannot be used: .*drive\.csv, line 4: "fast" is no double/,
    );
    assert.doesNotMatch(bad.err, /secret/);
    assert.equal((await run(files, {}, false, true)).err, '');
  });
});
