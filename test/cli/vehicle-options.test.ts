import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '#cli/command.ts';
import { ecuIdsOf, hostText, parseHost, secondsOf } from '#cli/vehicle-options.ts';

test('hosts are names or addresses, with or without a port', () => {
  const expected: [string, string][] = [
    ['10.0.0.1', '10.0.0.1:50051'],
    ['10.0.0.1:80', '10.0.0.1:80'],
    ['main-ecu.local:50052', 'main-ecu.local:50052'],
    ['::1', '[::1]:50051'],
    ['[fd00::1]', '[fd00::1]:50051'],
    ['[fd00::1]:9', '[fd00::1]:9'],
  ];
  for (const [text, host] of expected) assert.equal(hostText(parseHost(text)), host);
  for (const text of [
    '',
    'a b',
    'http://h',
    'h:',
    'h:0',
    'h:65536',
    'h:1e3',
    '[::1',
    'dns:///x',
    'unix:/tmp/x',
  ]) {
    assert.throws(() => parseHost(text), UsageError, text);
  }
});

test('ECUs are named once each', () => {
  assert.deepEqual(ecuIdsOf(['a', 'b'], ['c', 'a']), ['a', 'b', 'c']);
  assert.throws(() => ecuIdsOf([''], []), UsageError);
});

test('seconds become milliseconds', () => {
  assert.equal(secondsOf('1.5', 'timeout', 0), 1500);
  for (const text of ['', ' ', '-1', 'NaN', 'Infinity', '5s']) {
    assert.throws(() => secondsOf(text, 'timeout', 0), UsageError, text);
  }
});
