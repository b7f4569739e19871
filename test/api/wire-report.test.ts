import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { maxReportedEcus, reportFromWire, reportToWire } from '#api/wire-report.ts';
import { StatusResponseEcuV2Schema, StatusResponseSchema } from '#gen/otaclient_v2_pb.ts';
import { ecuStatus } from '../support/ecu-status.ts';

function received(init: MessageInitShape<typeof StatusResponseSchema>) {
  return reportFromWire(create(StatusResponseSchema, init));
}

describe('a Status answer', () => {
  it('fills both generations for an ECU of our own', () => {
    const wire = reportToWire({ availableEcuIds: ['a', 'b'], ecus: [ecuStatus('a')] });
    assert.deepEqual(wire.availableEcuIds, ['a', 'b']);
    assert.deepEqual([wire.ecu[0]?.ecuId, wire.ecuV2[0]?.ecuId], ['a', 'a']);
  });

  it('passes on what a newer child says of itself, fields that nobody here knows included', () => {
    const entry = create(StatusResponseEcuV2Schema, { ecuId: 'new', otaStatus: 8 });
    const bytes = Buffer.concat([
      toBinary(StatusResponseEcuV2Schema, entry),
      Buffer.from('c20c036e6577', 'hex'),
    ]);
    const report = received({ ecuV2: [fromBinary(StatusResponseEcuV2Schema, bytes)] });
    const [sent] = reportToWire(report).ecuV2;
    assert.ok(sent);
    assert.equal(
      Buffer.from(toBinary(StatusResponseEcuV2Schema, sent)).toString('hex'),
      bytes.toString('hex'),
    );
  });

  it('names the ECU above what it passes on, where nobody below has done so', () => {
    const report = received({ ecuV2: [{ ecuId: 'c1', slot: 'slot_b', bootloader: 'grub' }] });
    const [c1] = report.ecus;
    assert.ok(c1);
    assert.deepEqual([c1.slot, c1.bootloader, c1.parentEcuId], ['slot_b', 'grub', undefined]);
    const [sent] = reportToWire({ ...report, ecus: [{ ...c1, parentEcuId: 'main' }] }).ecuV2;
    assert.deepEqual([sent?.parentEcuId, sent?.slot], ['main', 'slot_b']);
    const [again] = received({ ecuV2: [{ ecuId: 'c1', parentEcuId: 'main' }] }).ecus;
    assert.equal(again?.parentEcuId, 'main');
  });

  it('passes on no number that existing clients reject the whole answer for', () => {
    const report = received({
      ecu: [
        {
          ecuId: 'new',
          result: 44 as never,
          status: { status: 99 as never, failure: 66 as never, progress: { phase: 55 as never } },
        },
      ],
      ecuV2: [
        {
          ecuId: 'new',
          otaStatus: 99 as never,
          failureType: 77 as never,
          updateStatus: { phase: 88 as never, updateStartTimestamp: 5n },
        },
      ],
    });
    const { ecu, ecuV2 } = reportToWire(report);
    const inner = ecu[0]?.status;
    assert.deepEqual([ecu[0]?.result, inner?.status, inner?.failure, inner?.progress?.phase], [2, 0, 2, 0]);
    const young = ecuV2[0];
    assert.deepEqual([young?.otaStatus, young?.failureType, young?.updateStatus?.phase], [3, 2, 0]);
  });

  it('gives a child of one generation in both', () => {
    const progress = { filesProcessedCopy: 3n, totalRegularFiles: 9n };
    const old = reportToWire(
      received({ ecu: [{ ecuId: 'old', status: { status: 3, version: '0.9', progress } }] }),
    );
    assert.equal(old.ecu[0]?.status?.version, '0.9');
    assert.equal(old.ecuV2[0]?.firmwareVersion, '0.9');
    assert.equal(old.ecuV2[0]?.updateStatus?.processedFilesNum, 3n);
    const young = reportToWire(received({ ecuV2: [{ ecuId: 'young', firmwareVersion: '3', otaStatus: 1 }] }));
    assert.deepEqual([young.ecu[0]?.status?.status, young.ecu[0]?.status?.version], [1, '3']);
  });

  it('gives each ECU once, and none without a usable name', () => {
    const { ecus } = received({
      ecu: [{ ecuId: 'b' }],
      ecuV2: [
        { ecuId: 'a', firmwareVersion: 'first' },
        { ecuId: 'a', firmwareVersion: 'second' },
        { ecuId: '' },
        { ecuId: 'x'.repeat(129) },
        { ecuId: 'a\nb' },
      ],
    });
    assert.deepEqual(
      ecus.map((ecu) => [ecu.ecuId, ecu.firmwareVersion]),
      [
        ['a', 'first'],
        ['b', ''],
      ],
    );
  });

  it('is cut to a bearable number of ECUs and length of texts, also where it is passed on', () => {
    const many = Array.from({ length: maxReportedEcus + 50 }, (_, n) => ({ ecuId: `e${n}` }));
    assert.equal(received({ ecuV2: many }).ecus.length, maxReportedEcus);
    const long = 'x'.repeat(100_000);
    const report = received({
      ecuV2: [{ ecuId: 'a', otaStatus: 2, failureReason: long, failureTraceback: long }],
    });
    assert.equal(report.ecus[0]?.failure?.reason.length, 4096);
    const [sent] = reportToWire(report).ecuV2;
    assert.ok(sent);
    assert.ok(toBinary(StatusResponseEcuV2Schema, sent).length < 13_000);
  });

  it('tells what a job waits for to those who know the field, and passes on no more of it than is bearable', () => {
    const own = ecuStatus('a', { waitingFor: ['parked: Vehicle.Speed is 42'] });
    const wire = reportToWire({ availableEcuIds: [], ecus: [own] });
    assert.deepEqual(reportFromWire(wire).ecus[0]?.waitingFor, own.waitingFor);
    const { ecuV2: _, ...first } = wire;
    assert.deepEqual(received({ ecu: first.ecu }).ecus[0]?.waitingFor, []);
    const report = received({ ecuV2: [{ ecuId: 'b', waitingFor: Array(1000).fill('x'.repeat(10_000)) }] });
    const passedOn = reportToWire(report).ecuV2[0]?.waitingFor ?? [];
    assert.deepEqual([passedOn.length, passedOn[0]?.length], [32, 1024]);
    assert.deepEqual(report.ecus[0]?.waitingFor, passedOn);
  });

  it('does not cut a text within a character', () => {
    const report = received({ ecuV2: [{ ecuId: 'a', firmwareVersion: `${'x'.repeat(1023)}🚗` }] });
    assert.ok(report.ecus[0]?.firmwareVersion.isWellFormed());
  });
});
