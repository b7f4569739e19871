import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  abortAnswersFromWire,
  abortAnswersToWire,
  abortRequestToWire,
  updateAnswersFromWire,
  updateRequestFromWire,
  updateRequestToWire,
} from '#api/wire-requests.ts';
import { OtaFailure } from '#domain/failure.ts';
import { AbortResponseSchema, UpdateRequestSchema, UpdateResponseSchema } from '#gen/otaclient_v2_pb.ts';

describe('a request that is passed on', () => {
  const unknownField = Buffer.from('c20c036e6577', 'hex');
  const wire = create(UpdateRequestSchema, { ecu: [{ ecuId: 'a', version: '2', cookies: '{}' }] });
  const bytes = Buffer.concat([toBinary(UpdateRequestSchema, wire), unknownField]);

  it('keeps fields of a newer agent, and takes the request id that was made up for it', () => {
    const request = updateRequestFromWire(fromBinary(UpdateRequestSchema, bytes));
    const sent = toBinary(UpdateRequestSchema, updateRequestToWire({ ...request, requestId: 'made-up' }));
    assert.ok(Buffer.from(sent).includes(unknownField));
    assert.equal(fromBinary(UpdateRequestSchema, sent).requestId, 'made-up');
    assert.equal(fromBinary(UpdateRequestSchema, sent).ecu[0]?.version, '2');
  });

  it('carries whether a quarantined release is wanted, to peers that know it and past those that do not', () => {
    const force = {
      ecuId: 'a',
      version: '2',
      url: '',
      cookies: '',
      releaseName: '',
      releaseId: '',
      imageId: '',
    };
    const sent = updateRequestToWire({ entries: [{ ...force, force: true }, force], requestId: 'r' });
    // Field 1000 of the entry, wire type varint: as a peer without the field sees it.
    assert.ok(Buffer.from(toBinary(UpdateRequestSchema, sent)).includes(Buffer.from('c03e01', 'hex')));
    const read = updateRequestFromWire(fromBinary(UpdateRequestSchema, toBinary(UpdateRequestSchema, sent)));
    assert.deepEqual(
      read.entries.map((entry) => entry.force),
      [true, false],
    );
    const passedOn = updateRequestToWire({ ...read, requestId: 'other' });
    assert.equal(passedOn.ecu[0]?.force, true);
  });

  it('names nobody with a name that is too long, and does not carry it around', () => {
    const long = { ecuId: 'x'.repeat(100_000) };
    const { entries, requestId } = updateRequestFromWire(
      create(UpdateRequestSchema, { ecu: [long], requestId: 'y'.repeat(100_000) }),
    );
    assert.deepEqual([entries[0]?.ecuId.length, requestId.length], [129, 129]);
  });

  it('can be made without one that arrived', () => {
    assert.deepEqual(
      abortRequestToWire({ ecuIds: ['a', 'b'], requestId: 'r' }).ecu.map(({ ecuId }) => ecuId),
      ['a', 'b'],
    );
  });
});

describe('answers of a peer', () => {
  it('with a result of a newer release are unrecoverable', () => {
    const [answer] = updateAnswersFromWire(
      create(UpdateResponseSchema, { ecu: [{ ecuId: 'a', result: 42 as never, message: 'm' }] }),
    );
    assert.deepEqual(answer, { ecuId: 'a', result: 'UNRECOVERABLE', message: 'm' });
  });

  it('whose reason is the state of the vehicle are told from others', () => {
    const refusal = new OtaFailure('vehicle_state', 'parked: no');
    const wire = create(UpdateResponseSchema, {
      ecu: [
        { ecuId: 'a', result: 1, message: refusal.reason },
        { ecuId: 'b', result: 1, message: 'E201: busy' },
      ],
    });
    const answers = updateAnswersFromWire(wire);
    assert.deepEqual(
      answers.map(({ blocked }) => blocked),
      [true, undefined],
    );
  });

  it('are cut to their caps, and left out without a name', () => {
    const answers = updateAnswersFromWire(
      create(UpdateResponseSchema, { ecu: [{ ecuId: '' }, { ecuId: 'a', message: 'x'.repeat(10_000) }] }),
    );
    assert.deepEqual(
      answers.map(({ ecuId, message }) => [ecuId, message.length]),
      [['a', 2048]],
    );
  });

  it('to Abort are accepted or not', () => {
    const wire = abortAnswersToWire([
      { ecuId: 'a', result: 'NO_FAILURE', message: '' },
      { ecuId: 'b', result: 'RECOVERABLE', message: 'no' },
      { ecuId: 'c', result: 'UNRECOVERABLE', message: 'no' },
    ]);
    assert.deepEqual(
      wire.ecu.map(({ result }) => result),
      [0, 1, 1],
    );
    const back = abortAnswersFromWire(
      create(AbortResponseSchema, { ecu: [{ ecuId: 'a', result: 7 as never }, { ecuId: 'b' }] }),
    );
    assert.deepEqual(
      back.map(({ result }) => result),
      ['RECOVERABLE', 'NO_FAILURE'],
    );
  });
});
