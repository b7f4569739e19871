import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from '#config/options.ts';

const problemOf = (check: string): string =>
  parseOptions(`health_checks: [{ name: x, ${check} }]`, 'ota.yml', {}).problem?.message ?? '';

test('a key of a health check that nobody knows is refused, with those that there are', () => {
  const problem = problemOf('command: [ls], timeout: 5');
  assert.match(
    problem,
    /^ota\.yml:1: health_checks\[0\] .*; take out timeout: there are name, command, .* timeout_ms$/,
  );
  assert.match(problemOf('comand: [ls]'), /take out comand/);
});

test('where a probe can never get is refused: port 0, and brackets around what is no IPv6 address', () => {
  for (const check of ['tcp: "127.0.0.1:0"', 'tcp: "[1.2.3.4]:80"', 'grpc: "[1::2::3]:80"']) {
    assert.match(problemOf(check), /write host:port such as/, check);
  }
  assert.match(problemOf('http: "http://127.0.0.1:0/x"'), /write a URL such as .* no port 0/);
  for (const check of [
    'tcp: "[::1]:80"',
    'grpc: "[::ffff:1.2.3.4]:80"',
    'http: "http://[::1]/x"',
    'tcp: "x:1"',
  ]) {
    assert.equal(problemOf(check), '', check);
  }
});
