import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { startGrpcServer } from '#api/grpc-server.ts';
import { OtaFailure } from '#domain/failure.ts';
import { ConsoleService, type StartUpdateRequestSchema } from '#gen/ota/console/v1/console_pb.ts';
import { EventKind } from '#gen/ota/console/v1/types_pb.ts';
import { genericClient } from '../../support/generic-peer.ts';
import { asOperator, servedConsole } from '../../support/served-console.ts';

async function consoleClient(t: TestContext, setting: Parameters<typeof servedConsole>[1] = {}) {
  const served = await servedConsole(t, setting);
  const transport = createConnectTransport({ baseUrl: served.url, httpVersion: '1.1' });
  return { ...served, client: createClient(ConsoleService, transport) };
}

async function refusalOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error('it was not refused');
}

const target = { ecuId: 'main', version: '2.0', url: 'https://images.example/2.0' };

describe('what an operator does over the console', () => {
  it('reaches the vehicle with the request id that it was given, or one that it is told', async (t) => {
    const { client, local } = await consoleClient(t);
    const answer = await client.startUpdate({ targets: [target], requestId: 'r-1' }, asOperator);
    assert.equal(answer.requestId, 'r-1');
    assert.deepEqual(
      answer.answers.map(({ ecuId, accepted }) => [ecuId, accepted]),
      [['main', true]],
    );
    const aborted = await client.abort({}, asOperator);
    assert.match(aborted.requestId, /^\d+-[\da-f]{8}$/);
    local.become({ status: 'SUCCESS' });
    const rolled = await client.startRollback({ ecuIds: ['main', 'nobody'] }, asOperator);
    assert.deepEqual(
      rolled.answers.map(({ ecuId, accepted }) => [ecuId, accepted]),
      [
        ['main', true],
        ['nobody', false],
      ],
    );
    assert.deepEqual(local.asked, [
      'update 2.0 r-1',
      `abort ${aborted.requestId}`,
      `rollback ${rolled.requestId}`,
    ]);
  });

  it('is an answer with what to do when an ECU refuses', async (t) => {
    const { client, local } = await consoleClient(t);
    local.refusal = new OtaFailure('busy', 'updating');
    const { answers } = await client.startUpdate({ targets: [target] }, asOperator);
    assert.equal(answers[0]?.accepted, false);
    assert.equal(answers[0]?.recoverable, true);
    assert.match(answers[0]?.message ?? '', /E201: busy/);
  });

  it('is a failed precondition when all refuse for the state of the vehicle', async (t) => {
    const blocked = {
      ecuId: 'main',
      result: 'RECOVERABLE',
      message: 'the vehicle moves',
      blocked: true,
    } as const;
    const none = () => Promise.resolve([]);
    const update = () => Promise.resolve([blocked]);
    const { client } = await consoleClient(t, {
      parts: {
        vehicle: { update, clientUpdate: none, rollback: none, abort: none, status: () => undefined },
      },
    });
    const refusal = await refusalOf(client.startUpdate({ targets: [target] }, asOperator));
    assert.equal(refusal.code, Code.FailedPrecondition);
    assert.match(refusal.rawMessage, /main: the vehicle moves/);
  });

  it('is refused with the name of the field that is wrong, and then reaches nobody', async (t) => {
    const { client, local } = await consoleClient(t);
    const wrong: readonly (readonly [MessageInitShape<typeof StartUpdateRequestSchema>, RegExp])[] = [
      [{ targets: [] }, /^targets is empty/],
      [{ targets: [{ ...target, ecuId: '' }] }, /^targets\[0\] names no ECU/],
      [{ targets: [target, target] }, /^targets\[1\] names an ECU again/],
      [{ targets: [{ ...target, url: 'file:///etc/passwd' }] }, /^targets\[0\]\.url is not a URL/],
      [{ targets: [{ ...target, version: '' }] }, /^targets\[0\]\.version is empty/],
      [{ targets: [{ ...target, cookies: 'x'.repeat(20_000) }] }, /^targets\[0\]\.cookies is longer/],
      [{ targets: [target], requestId: 'x'.repeat(200) }, /^request_id has more/],
      [{ targets: Array.from({ length: 513 }, (_, n) => ({ ...target, ecuId: `e${n}` })) }, /more than 512/],
    ];
    for (const [request, message] of wrong) {
      const refusal = await refusalOf(client.startUpdate(request, asOperator));
      assert.equal(refusal.code, Code.InvalidArgument, String(message));
      assert.match(refusal.rawMessage, message);
    }
    assert.equal((await refusalOf(client.startRollback({}, asOperator))).code, Code.InvalidArgument);
    assert.deepEqual(local.asked, []);
  });
});

describe('the journal on the console', () => {
  it('has who asked what over either API, what became of it, who was turned away, and every state', async (t) => {
    const { client, vehicle, log, local } = await consoleClient(t);
    const server = await startGrpcServer(vehicle, {
      host: '127.0.0.1',
      port: 0,
      ownId: 'main',
      log,
      stopLimitMs: 100,
    });
    t.after(() => server[Symbol.asyncDispose]());
    await client.startUpdate(
      { targets: [{ ...target, cookies: '{"s":"secret"}' }], requestId: 'r-1' },
      asOperator,
    );
    await genericClient(t, `127.0.0.1:${server.port}`)('Abort', { request_id: 'r-2' });
    local.become({ status: 'SUCCESS', firmwareVersion: '2.0' });
    await refusalOf(client.getCaller({}, { headers: { authorization: 'Bearer guess' } }));

    const { events } = await client.listEvents({}, asOperator);
    const lines = events.map(({ caller, ecuId, text }) => `${caller}|${ecuId}|${text}`).reverse();
    const has = (line: RegExp) =>
      assert.ok(
        lines.some((one) => line.test(one)),
        `${line} in\n${lines.join('\n')}`,
      );
    has(/^operator:local\|main\|asks for update of main to 2\.0$/);
    has(/^operator:local\|main\|update accepted by main$/);
    has(/^grpc:127\.0\.0\.1\|\|asks for abort of every ECU$/);
    has(/^\|main\|SUCCESS to UPDATING to 2\.0, initializing$/);
    has(/\|main\|.* to SUCCESS, runs 2\.0$/);
    has(/^127\.0\.0\.1\|\|was turned away from the console: the token is unknown$/);
    assert.doesNotMatch(JSON.stringify(lines), /secret|guess/);
    assert.ok(events.every(({ sequence }, at) => at === 0 || sequence < (events[at - 1]?.sequence ?? 0n)));

    const requests = await client.listEvents(
      { kinds: [EventKind.REQUEST], query: 'ABORT', pageSize: 1 },
      asOperator,
    );
    assert.equal(requests.events.length, 1);
    assert.notEqual(requests.nextPageToken, '');
    const { nextPageToken: pageToken } = requests;
    const more = await client.listEvents(
      { kinds: [EventKind.REQUEST], query: 'abort', pageToken },
      asOperator,
    );
    assert.deepEqual([more.events.length, more.nextPageToken], [1, '']);
    const ofMain = await client.listEvents({ ecuId: 'main' }, asOperator);
    assert.ok(ofMain.events.length > 0 && ofMain.events.every(({ ecuId }) => ecuId === 'main'));
    const bad = await refusalOf(client.listEvents({ pageToken: 'x' }, asOperator));
    assert.equal(bad.code, Code.InvalidArgument);
  });

  it('is watched from a place on, and every event comes once', async (t) => {
    const { client, journal } = await consoleClient(t, { options: { heartbeatMs: 100 } });
    await journal.record({ kind: 'state', text: 'before' });
    const from = BigInt(journal.last);
    await journal.record({ kind: 'state', text: 'one' });
    const stream = client.watchEvents({ afterSequence: from }, asOperator)[Symbol.asyncIterator]();
    const next = async (): Promise<string[] | undefined> => {
      const { done, value } = await stream.next();
      return done ? undefined : value.events.map(({ text }) => text);
    };
    assert.deepEqual(await next(), ['one']);
    assert.deepEqual(await next(), [], 'a sign of life');
    journal.note({ kind: 'state', text: 'two' });
    let events = await next();
    while (events?.length === 0) events = await next();
    assert.deepEqual(events, ['two']);
    await stream.return?.();

    const gone = client.watchEvents({ afterSequence: 10n ** 12n }, asOperator)[Symbol.asyncIterator]();
    assert.equal((await refusalOf(gone.next())).code, Code.OutOfRange);
  });
});
