import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { optionList } from '#config/option-list.ts';
import { parseOptions } from '#config/options.ts';

const file = 'ota.yml';

function messages(text: string | undefined, env: Record<string, string> = {}): string[] {
  return parseOptions(text, file, env).problem?.message.split('\n') ?? [];
}

describe('options of the daemon', () => {
  it('are complete and frozen without any file', () => {
    const { options, problem, unknown, set } = parseOptions(undefined, '', {});
    assert.equal(problem, undefined);
    assert.deepEqual([unknown, set], [[], []]);
    assert.equal(options.listen.port, 50051);
    assert.equal(options.download.noProgressTimeoutMs, 600_000);
    assert.equal(options.trust.directory, '/opt/ota/client/certs');
    assert.equal(options.limits.messageBytes, 4 * 1024 * 1024);
    assert.ok(
      Object.isFrozen(options) &&
        Object.isFrozen(options.boot.directory) &&
        Object.isFrozen(options.healthChecks),
    );
  });

  it('are taken from the file', () => {
    const { options, problem } = parseOptions(
      [
        'listen: {port: 50060}',
        'health_checks:',
        '  - name: network',
        '    command: [ping, -c1, 10.0.0.1]',
        '    timeout_ms: 5000',
        '  - {name: disk, command: [/usr/bin/true]}',
        'reboot:',
        '  command: [systemctl, reboot]',
        'boot: {directory: {path: /data/slots}}',
      ].join('\n'),
      file,
      {},
    );
    assert.equal(problem, undefined);
    assert.equal(options.listen.port, 50060);
    assert.deepEqual(options.reboot, { command: ['systemctl', 'reboot'], exitCode: 10 });
    assert.equal(options.boot.directory.path, '/data/slots');
    assert.deepEqual(options.healthChecks, [
      { name: 'network', command: ['ping', '-c1', '10.0.0.1'], timeoutMs: 5000 },
      { name: 'disk', command: ['/usr/bin/true'], timeoutMs: 60_000 },
    ]);
  });

  it('are taken from the environment before the file; text, numbers, booleans and JSON lists', () => {
    const { options, problem, set } = parseOptions('listen: {port: 50060}\nlog: {level: warn}', file, {
      OTA_LISTEN_PORT: '50061',
      OTA_STATE_DIRECTORY: '/data/state',
      OTA_ALLOW_ROLLBACK: 'false',
      OTA_HEALTH_CHECKS: '[{"name":"x","command":["true"]}]',
      OTA_LOG_LEVEL: '',
      HOME: '/root',
    });
    assert.equal(problem, undefined);
    assert.equal(options.listen.port, 50061);
    assert.equal(options.state.directory, '/data/state');
    assert.equal(options.allow.rollback, false);
    assert.deepEqual(options.healthChecks, [{ name: 'x', command: ['true'], timeoutMs: 60_000 }]);
    assert.equal(options.log.level, 'warn', 'an empty variable sets nothing');
    assert.deepEqual(set.slice(0, 2), [
      { name: 'listen.port', value: '50061', from: 'OTA_LISTEN_PORT' },
      { name: 'state.directory', value: '"/data/state"', from: 'OTA_STATE_DIRECTORY' },
    ]);
  });

  it('may be sections and keys without a value, or nothing but comments', () => {
    for (const text of ['', '# nothing\n', 'download:\n  # attempts: 3\nlog:\n  level:\n']) {
      assert.deepEqual(parseOptions(text, file, {}), parseOptions(undefined, file, {}));
    }
  });

  it('have one bad value each told by name, and keep all other values', () => {
    const text = 'listen: {port: 99999}\ndownload:\n  attempts: many\n  connections: 3\nstate: 5\n';
    assert.deepEqual(messages(text, { OTA_LOG_LEVEL: 'loud', OTA_WORKERS_COUNT: '-1' }), [
      'ota.yml:1: listen.port is 99999; write a whole number from 1 to 65535',
      'ota.yml:5: state is 5; write `key: value` lines below it',
      'ota.yml:3: download.attempts is "many"; write a whole number from 1 to 1000',
      'environment: OTA_WORKERS_COUNT is -1; write a whole number from 0 to 8',
      'environment: OTA_LOG_LEVEL is "loud"; write fatal, error, warn, info, debug or trace',
    ]);
    const { options } = parseOptions(text, file, {});
    assert.equal(options.listen.port, 50051);
    assert.equal(options.download.connections, 3);
    assert.equal(options.download.attempts, 8);
  });

  it('have a bad item of a list told by its number', () => {
    assert.deepEqual(
      messages('health_checks:\n  - name: a\n    command: ls\n', { OTA_REBOOT_COMMAND: '["x", 3]' }),
      [
        'ota.yml:3: health_checks[0].command is "ls"; write a list of 1 to 64 texts: the program and its arguments',
        'environment: OTA_REBOOT_COMMAND[1] is 3; write a list of 1 to 64 texts: the program and its arguments',
      ],
    );
  });

  it('must fit together', () => {
    assert.deepEqual(messages('children:\n  poll_idle_ms: 500\n'), [
      'ota.yml:2: children.poll_idle_ms is 500, but children.poll_active_ms is 1000; ' +
        'make children.poll_active_ms at most children.poll_idle_ms',
    ]);
    assert.deepEqual(messages('', { OTA_DOWNLOAD_BACKOFF_BASE_MS: '99999' }), [
      'environment: OTA_DOWNLOAD_BACKOFF_BASE_MS is 99999, but download.backoff_max_ms is 10000; ' +
        'make download.backoff_base_ms at most download.backoff_max_ms',
    ]);
  });

  it('of sources are checked, alone and together', () => {
    assert.deepEqual(messages('diagnostics:\n  kuksa: {address: 127.0.0.1:55555, publish: true}'), []);
    for (const address of ['[::1]:55555', 'broker.vehicle:1', 'unix:/run/kuksa/databroker.sock'])
      assert.deepEqual(messages(`diagnostics:\n  kuksa: {address: "${address}"}`), [], address);
    for (const address of ['broker', 'http://broker:1', '::1:55555', 'broker:0', 'broker:65536', ':1', ''])
      assert.match(
        messages(`diagnostics:\n  kuksa: {address: "${address}"}`).join(),
        /write host:port/,
        address,
      );
    const text =
      'diagnostics:\n  kuksa:\n    address: 10.0.0.1:55555\n    ca_file: /etc/ca.pem\n  replay: {loop: true}';
    assert.deepEqual(messages(text), [
      'ota.yml:4: diagnostics.kuksa.ca_file means nothing without diagnostics.kuksa.tls; set diagnostics.kuksa.tls, or remove this',
      'ota.yml:5: diagnostics.replay.loop means nothing without diagnostics.replay.file; set diagnostics.replay.file, or remove this',
    ]);
    assert.match(messages('diagnostics: {replay: {file: /a, speed: -1}}').join(), /write a number from 0/);
    assert.match(
      messages(undefined, { OTA_DIAGNOSTICS_KUKSA_TOKEN_FILE: '/run/token' }).join(),
      /OTA_DIAGNOSTICS_KUKSA_TOKEN_FILE means nothing without diagnostics\.kuksa\.address/,
    );
  });

  it('set in the file stay in force when their variable is refused', () => {
    const { options, problem, set } = parseOptions('listen: {port: 50060}', file, { OTA_LISTEN_PORT: 'x' });
    assert.equal(options.listen.port, 50060);
    assert.equal(problem?.problems.length, 1);
    assert.deepEqual(set, [{ name: 'listen.port', value: '50060', from: file }]);
  });

  it('that nobody knows are no error, but told with the nearest name', () => {
    const { problem, unknown } = parseOptions('downlod:\n  x: 1\nlisten:\n  prot: 4\nzzz: 1\n', file, {
      OTA_LISTEN_PROT: '4',
      OTA_ECU_INFO: '/x',
      OTA_OPTIONS: '/y',
    });
    assert.equal(problem, undefined);
    assert.deepEqual(
      unknown.map((u) => `${u.file}:${u.line} ${u.key}: ${u.mend}`),
      [
        'ota.yml:1 downlod: write download, or take it out',
        'ota.yml:4 listen.prot: write listen.port, or take it out',
        'ota.yml:5 zzz: take it out, or see the table in docs/operations.md',
        'environment:undefined OTA_LISTEN_PROT: write OTA_LISTEN_PORT, or take it out',
      ],
    );
  });

  it('never show the password of a proxy', () => {
    const secret = 'hunter2';
    const good = parseOptions(`download: {proxy_url: "http://u:${secret}@10.0.0.1"}`, file, {});
    assert.equal(good.options.download.proxyUrl, `http://u:${secret}@10.0.0.1`);
    assert.ok(!JSON.stringify(good.set).includes(secret));
    const bad = parseOptions(`download: {proxy_url: "ftp://u:${secret}@h"}`, file, {
      OTA_DOWNLOAD_PROXY_URL: `u:${secret}@h`,
    });
    assert.equal(bad.problem?.problems.length, 2);
    assert.ok(!bad.problem?.message.includes(secret));
  });

  it('each have a description, a type and a variable of their own', () => {
    assert.ok(optionList.length > 20);
    assert.equal(new Set(optionList.map((option) => option.variable)).size, optionList.length);
    for (const option of optionList) {
      assert.ok(option.about !== '' && option.type !== '', option.variable);
      assert.match(option.variable, /^OTA_[A-Z_]+$/);
    }
  });
});
