import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type EcuInfo, parseEcuInfo, readEcuInfo } from '#config/ecu-info.ts';

function accept(text: string): EcuInfo {
  const result = parseEcuInfo(text, 'ecu_info.yml');
  assert.ok(result.ok, result.ok ? '' : result.problem.message);
  return result.ecuInfo;
}

function refuse(text: string) {
  const result = parseEcuInfo(text, 'ecu_info.yml');
  assert.ok(!result.ok, 'it was accepted');
  return result;
}

function places(text: string): string[] {
  return refuse(text).problem.problems.map((p) => `${p.line} ${p.key} ${p.code}`);
}

describe('ecu_info of existing vehicles', () => {
  it('is read with every field', () => {
    const info = accept(
      [
        'format_version: 1',
        'ecu_id: "main"',
        'ip_addr: 192.168.10.1',
        'bootloader: "grub"',
        'available_ecu_ids: ["main", "sub1", "sub2"]',
        'secondaries:',
        '  - ecu_id: sub1',
        '    ip_addr: "192.168.10.2"',
        '  - {ecu_id: sub2, ip_addr: 192.168.10.3, port: 50052}',
      ].join('\n'),
    );
    assert.deepEqual(info, {
      ecuId: 'main',
      ipAddr: '192.168.10.1',
      port: undefined,
      bootloader: 'grub',
      availableEcuIds: ['main', 'sub1', 'sub2'],
      secondaries: [
        { ecuId: 'sub1', host: '192.168.10.2', port: 50051 },
        { ecuId: 'sub2', host: '192.168.10.3', port: 50052 },
      ],
    });
  });

  it('needs ecu_id only, and has the known defaults', () => {
    assert.deepEqual(accept('ecu_id: solo'), {
      ecuId: 'solo',
      ipAddr: '127.0.0.1',
      port: undefined,
      bootloader: 'auto_detect',
      availableEcuIds: ['solo'],
      secondaries: [],
    });
  });

  it('may use the old name cboot', () => {
    assert.equal(accept('ecu_id: a\nbootloader: cboot').bootloader, 'jetson-cboot');
  });

  for (const name of ['grub', 'jetson-cboot', 'jetson-uefi', 'rpi_boot', 'auto_detect']) {
    it(`may name the boot loader ${name}`, () => {
      assert.equal(accept(`ecu_id: a\nbootloader: ${name}`).bootloader, name);
    });
  }

  it('may name our own boot controls', () => {
    for (const name of ['directory', 'u-boot', 'systemd-boot', 'command']) {
      assert.equal(accept(`ecu_id: a\nbootloader: ${name}`).bootloader, name);
    }
  });

  it('may have any format_version and keys that nobody knows', () => {
    assert.equal(accept('format_version: 7\necu_id: a\nfuture: {x: [1]}').ecuId, 'a');
  });

  it('may write a port in quotes, and IPv6 addresses', () => {
    const info = accept(
      'ecu_id: a\nip_addr: "fd00::1"\nsecondaries: [{ecu_id: b, ip_addr: "::1", port: "50099"}]',
    );
    assert.equal(info.ipAddr, 'fd00::1');
    assert.deepEqual(info.secondaries, [{ ecuId: 'b', host: '::1', port: 50099 }]);
  });

  it('may leave the own id out of available_ecu_ids, and means itself by an empty list', () => {
    assert.deepEqual(accept('ecu_id: a\navailable_ecu_ids: [b]').availableEcuIds, ['b']);
    assert.deepEqual(accept('ecu_id: a\navailable_ecu_ids: []').availableEcuIds, ['a']);
  });

  it('may use anchors and merge keys', () => {
    const info = accept(
      'ecu_id: a\nx: &p {port: 50060}\nsecondaries:\n  - {<<: *p, ecu_id: b, ip_addr: 10.0.0.2}\n',
    );
    assert.equal(info.secondaries[0]?.port, 50060);
  });

  it('may start with a byte order mark and end its lines with CR LF', () => {
    assert.equal(accept('\uFEFFecu_id: a\r\nip_addr: 10.0.0.1\r\n').ipAddr, '10.0.0.1');
  });

  it('may say the port of this ECU, which is our own addition', () => {
    assert.equal(accept('ecu_id: a\nport: 50077').port, 50077);
  });

  it('is frozen all through once it is read', () => {
    const info = accept('ecu_id: a\nsecondaries: [{ecu_id: b, ip_addr: 10.0.0.2}]');
    assert.ok(
      Object.isFrozen(info) && Object.isFrozen(info.secondaries) && Object.isFrozen(info.secondaries[0]),
    );
    assert.ok(Object.isFrozen(info.availableEcuIds));
  });
});

describe('a broken ecu_info', () => {
  it('is told with file, line, key, value and mend, all problems at once', () => {
    const { problem } = refuse(
      'format_version: "1"\nip_addr: localhost\nbootloader: lilo\nsecondaries:\n  - ecu_id: 5\n    port: 0\n',
    );
    assert.equal(
      problem.message,
      [
        'ecu_info.yml:1: format_version is "1"; write a whole number without quotes, such as 1',
        'ecu_info.yml:1: ecu_id is missing; write a name of 1 to 128 printable characters, in quotes if it is a number',
        'ecu_info.yml:2: ip_addr is "localhost"; write an IP address such as 192.168.10.1; a host name is not accepted',
        'ecu_info.yml:3: bootloader is "lilo"; write one of auto_detect, grub, jetson-cboot, jetson-uefi, rpi_boot, ' +
          'directory, u-boot, systemd-boot, command',
        'ecu_info.yml:5: secondaries[0].ecu_id is 5; write a name of 1 to 128 printable characters, in quotes if it ' +
          'is a number',
        'ecu_info.yml:5: secondaries[0].ip_addr is missing; write an IP address such as 192.168.10.1; a host name ' +
          'is not accepted',
        'ecu_info.yml:6: secondaries[0].port is 0; write a port number from 1 to 65535',
      ].join('\n'),
    );
  });

  it('refuses an explicit null where existing parsers do', () => {
    assert.deepEqual(places('ecu_id: a\nbootloader:\navailable_ecu_ids: null\nsecondaries: ~\n'), [
      '2 bootloader value_invalid',
      '3 available_ecu_ids value_invalid',
      '4 secondaries value_invalid',
    ]);
  });

  it('refuses children listed twice, this ECU as its own child, and two children at one address', () => {
    const text = [
      'ecu_id: a',
      'secondaries:',
      '  - {ecu_id: b, ip_addr: 10.0.0.2}',
      '  - {ecu_id: b, ip_addr: 10.0.0.3}',
      '  - {ecu_id: a, ip_addr: 10.0.0.4}',
      '  - {ecu_id: c, ip_addr: 10.0.0.2, port: 50051}',
      '  - {ecu_id: d, ip_addr: 10.0.0.2, port: 50052}',
    ].join('\n');
    assert.deepEqual(places(text), [
      '4 secondaries[1].ecu_id duplicate',
      '5 secondaries[2].ecu_id self_as_secondary',
      '6 secondaries[3].ip_addr duplicate',
    ]);
  });

  it('tells a wrong relation together with a wrong value', () => {
    const text = 'ecu_id: a\nip_addr: x\nsecondaries: [{ecu_id: a, ip_addr: 10.0.0.2}, null]\n';
    assert.deepEqual(places(text), [
      '2 ip_addr value_invalid',
      '3 secondaries[1] value_invalid',
      '3 secondaries[0].ecu_id self_as_secondary',
    ]);
  });

  it('tells where YAML goes wrong, and which key is there twice', () => {
    assert.deepEqual(places('ecu_id: a\nip_addr: "10.0.0.1\n'), ['3  yaml_invalid']);
    assert.deepEqual(places('ecu_id: a\nip_addr: 10.0.0.1\necu_id: b\n'), ['3  yaml_invalid']);
  });

  it('is an empty file, a list or a bare text', () => {
    assert.deepEqual(places(''), ['undefined  file_empty']);
    assert.deepEqual(places('# only a comment\n'), ['undefined  file_empty']);
    assert.deepEqual(places('\n- ecu_id: a\n'), ['1  not_a_mapping']);
    assert.deepEqual(places('hello'), ['1  not_a_mapping']);
  });

  it('refuses names that are empty, too long or hold control characters', () => {
    for (const name of ['""', `"${'x'.repeat(129)}"`, '"a\\tb"', '"a\\u001b[31m"', '7', 'true']) {
      assert.deepEqual(places(`ecu_id: ${name}`), ['1 ecu_id value_invalid'], name);
    }
    assert.equal(accept(`ecu_id: "${'x'.repeat(128)}"`).ecuId.length, 128);
  });

  it('refuses more ECUs than the cap', () => {
    const ids = Array.from({ length: 257 }, (_, at) => `e${at}`);
    assert.deepEqual(places(`ecu_id: a\navailable_ecu_ids: [${ids.join(', ')}]`), [
      '2 available_ecu_ids too_many',
    ]);
    assert.equal(
      accept(`ecu_id: a\navailable_ecu_ids: [${ids.slice(1).join(', ')}]`).availableEcuIds.length,
      256,
    );
  });

  it('refuses aliases that multiply and endless nesting, quickly', () => {
    const bomb = Array.from({ length: 12 }, (_, at) =>
      at === 0
        ? 'a0: &a0 [x, x]'
        : `a${at}: &a${at} [${Array(9)
            .fill(`*a${at - 1}`)
            .join(', ')}]`,
    );
    assert.deepEqual(places(`ecu_id: a\n${bomb.join('\n')}`), ['undefined  yaml_invalid']);
    assert.equal(refuse(`ecu_id: a\nx: ${'['.repeat(60_000)}`).problem.code, 'yaml_invalid');
  });

  it('leaves the default ECU, so that Status can be served', () => {
    assert.deepEqual(refuse('[').ecuInfo, {
      ecuId: 'autoware',
      ipAddr: '127.0.0.1',
      port: undefined,
      bootloader: 'auto_detect',
      availableEcuIds: ['autoware'],
      secondaries: [],
    });
  });

  it('keeps name and address that are valid, so that the parent still finds this ECU', () => {
    const { ecuInfo } = refuse(
      'ecu_id: adas\nip_addr: 10.0.0.7\nport: 50055\nsecondaries: 3\navailable_ecu_ids: [q]',
    );
    assert.deepEqual(ecuInfo, {
      ecuId: 'adas',
      ipAddr: '10.0.0.7',
      port: 50055,
      bootloader: 'auto_detect',
      availableEcuIds: ['adas'],
      secondaries: [],
    });
  });
});

describe('an ecu_info file', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ecu-info-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function codeOf(file: string): Promise<string> {
    const result = await readEcuInfo(file);
    assert.ok(!result.ok);
    assert.equal(result.problem.problems[0]?.file, file);
    return result.problem.code;
  }

  it('is read from disk', async () => {
    const file = join(folder, 'good.yml');
    await writeFile(file, 'ecu_id: a');
    const result = await readEcuInfo(file);
    assert.ok(result.ok && result.ecuInfo.ecuId === 'a');
  });

  it('that is missing, a directory, a pipe, too large or not UTF-8 is a problem, never a crash or a hang', async () => {
    await mkdir(join(folder, 'directory.yml'));
    execFileSync('mkfifo', [join(folder, 'pipe.yml')]);
    await writeFile(join(folder, 'large.yml'), `ecu_id: a\n#${'x'.repeat(64 * 1024)}`);
    await writeFile(join(folder, 'latin1.yml'), Buffer.from('ecu_id: \xe4', 'latin1'));
    assert.equal(await codeOf(join(folder, 'absent.yml')), 'file_missing');
    assert.equal(await codeOf(join(folder, 'large.yml', 'below-a-file.yml')), 'file_missing');
    assert.equal(await codeOf(join(folder, 'directory.yml')), 'file_unreadable');
    assert.equal(await codeOf(join(folder, 'pipe.yml')), 'file_unreadable');
    assert.equal(await codeOf(join(folder, 'large.yml')), 'file_too_large');
    assert.equal(await codeOf(join(folder, 'latin1.yml')), 'file_not_utf8');
  });

  const asRoot = process.getuid?.() === 0 && 'root may read everything';
  it('that may not be read is a problem', { skip: asRoot }, async () => {
    const file = join(folder, 'locked.yml');
    await writeFile(file, 'ecu_id: a');
    await chmod(file, 0);
    assert.equal(await codeOf(file), 'file_unreadable');
  });
});
