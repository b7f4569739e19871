import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CallGate } from '#api/call-gate.ts';

it('counts the calls of a client over all its connections, and each client on its own', () => {
  const gate = new CallGate(2);
  const first = gate.enter('10.0.0.1:1000');
  const second = gate.enter('10.0.0.1:2000');
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(gate.enter('10.0.0.1:3000'), undefined);
  assert.ok(gate.enter('[::1]:1000'));
  first[Symbol.dispose]();
  assert.ok(gate.enter('10.0.0.1:3000'));
});
