import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { genericClient, genericPeer, type Plain, packagedClient } from '../support/generic-peer.ts';
import { loopbackEcu, whenKnown } from '../support/loopback-ecu.ts';

// Peers whose protobuf is protobuf.js, as the existing ones' is Python's: only the bytes are shared.

const ids = (answer: Plain, field = 'ecu') =>
  ((answer[field] ?? []) as Plain[]).map((entry) => [entry['ecu_id'], entry['result'] ?? 0]);
const find = (answer: Plain, field: string, id: string) =>
  ((answer[field] ?? []) as Plain[]).find((entry) => entry['ecu_id'] === id);
const part = (message: Plain | undefined, field: string) => (message?.[field] ?? {}) as Plain;
const request = (...names: string[]) => ({ ecu: names.map((ecu_id) => ({ ecu_id, version: '2' })) });

describe('a client of another make', () => {
  it('updates, looks, aborts and rolls back', async (t) => {
    const c1 = await loopbackEcu(t, 'c1');
    const main = await loopbackEcu(t, 'main', { children: [c1], availableEcuIds: ['main', 'c1'] });
    await whenKnown(main, () => main.store.report()?.ecus.length === 2);
    const call = genericClient(t, `127.0.0.1:${main.port}`);
    assert.deepEqual(ids(await call('Update', request('main', 'c1'))), [
      ['main', 0],
      ['c1', 0],
    ]);
    const status = await call('Status', {});
    assert.deepEqual(status['available_ecu_ids'], ['main', 'c1']);
    for (const id of ['main', 'c1']) {
      assert.equal(find(status, 'ecu_v2', id)?.['ota_status'], 3);
      assert.equal(part(find(status, 'ecu', id), 'status')['status'], 3);
    }
    assert.deepEqual(ids(await call('Abort', request('c1'))), [['c1', 0]]);
    assert.deepEqual(ids(await call('Rollback', request('c1', 'main'))), [
      ['c1', 0],
      ['main', 1],
    ]);
    assert.deepEqual(ids(await call('ClientUpdate', request('main'))), [['main', 1]]);
  });

  it('finds out by reflection, in both versions, what is served', async (t) => {
    const main = await loopbackEcu(t, 'main');
    for (const version of ['v1', 'v1alpha']) {
      const file = `@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`;
      const name = `grpc.reflection.${version}.ServerReflection`;
      const { exchange } = packagedClient(t, `127.0.0.1:${main.port}`, file, name);
      const listed = await exchange('ServerReflectionInfo', { list_services: '*' });
      const { service } = listed['list_services_response'] as { service: Plain[] };
      assert.deepEqual(
        service.map((entry) => String(entry['name'])),
        ['OtaClientV2.OtaClientService', 'grpc.health.v1.Health'],
      );
      const found = await exchange('ServerReflectionInfo', {
        file_containing_symbol: 'OtaClientV2.OtaClientService.Update',
      });
      const { file_descriptor_proto: files } = found['file_descriptor_response'] as {
        file_descriptor_proto: Buffer[];
      };
      assert.deepEqual(
        files.map((bytes) => ['otaclient_v2.proto', 'duration.proto'].find((text) => bytes.includes(text))),
        ['otaclient_v2.proto', 'duration.proto'],
      );
      const health = await exchange('ServerReflectionInfo', {
        file_containing_symbol: 'grpc.health.v1.Health',
      });
      const [described] = (health['file_descriptor_response'] as { file_descriptor_proto: Buffer[] })
        .file_descriptor_proto;
      assert.ok(described?.includes('StatusesEntry'), 'tools refuse a map entry by any other name');
    }
  });

  it('sees nothing by reflection where that is switched off', async (t) => {
    const main = await loopbackEcu(t, 'main', { server: { reflection: false } });
    const file = '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto';
    const client = packagedClient(t, `127.0.0.1:${main.port}`, file, 'grpc.reflection.v1.ServerReflection');
    await assert.rejects(client.exchange('ServerReflectionInfo', { list_services: '*' }), { code: 12 });
  });

  it('may ask for the health of the server and of its service', async (t) => {
    const main = await loopbackEcu(t, 'main');
    const file = 'grpc-health-check/proto/health/v1/health.proto';
    const { unary } = packagedClient(t, `127.0.0.1:${main.port}`, file, 'grpc.health.v1.Health');
    for (const service of ['', 'OtaClientV2.OtaClientService']) {
      assert.equal((await unary('Check', { service }))['status'], 1);
    }
    await assert.rejects(unary('Check', { service: 'nosuch' }), { code: 5 });
  });
});

describe('a child of another make', () => {
  it('of the first generation is passed on and converted', async (t) => {
    const progress = { phase: 4, total_regular_files: 9, files_processed_copy: 3, files_processed_link: 2 };
    const port = await genericPeer(t, {
      Status: () => ({ ecu: [{ ecu_id: 'old', status: { status: 3, version: '0.9', progress } }] }),
      Update: () => ({ ecu: [{ ecu_id: 'old' }] }),
    });
    const main = await loopbackEcu(t, 'main', { children: [{ ecuId: 'old', host: '127.0.0.1', port }] });
    await whenKnown(
      main,
      () => main.store.childFor('old') === 'old' && main.store.report()?.ecus.length === 2,
    );
    const call = genericClient(t, `127.0.0.1:${main.port}`);
    const status = await call('Status', {});
    const first = part(find(status, 'ecu', 'old'), 'status');
    assert.equal(part(first, 'progress')['files_processed_link'], 2);
    const second = find(status, 'ecu_v2', 'old');
    assert.deepEqual([second?.['ota_status'], second?.['firmware_version']], [3, '0.9']);
    assert.equal(part(second, 'update_status')['processed_files_num'], 5);
    assert.deepEqual(ids(await call('Update', request('old'))), [['old', 0]]);
    const abort = await call('Abort', request('old'));
    assert.match(String(((abort['ecu'] as Plain[])[0] ?? {})['message']), /UNIMPLEMENTED/);
  });

  it('of a newer release is passed on with numbers that every reader knows', async (t) => {
    const running = { phase: 99, update_start_timestamp: 5 };
    const entry = { ecu_id: 'new', ota_status: 77, failure_type: 55, update_status: running };
    const port = await genericPeer(t, { Status: () => ({ ecu_v2: [entry] }) });
    const main = await loopbackEcu(t, 'main', { children: [{ ecuId: 'new', host: '127.0.0.1', port }] });
    await whenKnown(main, () => main.store.report()?.ecus.length === 2);
    const status = await genericClient(t, `127.0.0.1:${main.port}`)('Status', {});
    const second = find(status, 'ecu_v2', 'new');
    assert.deepEqual([second?.['ota_status'], second?.['failure_type']], [3, 2]);
    assert.equal(part(second, 'update_status')['phase'] ?? 0, 0);
  });
});
