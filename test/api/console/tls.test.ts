import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { ConsoleServerError } from '#api/console/console-server-error.ts';
import { readTls } from '#api/console/console-tls.ts';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import { Role } from '#gen/ota/console/v1/types_pb.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { asOperator, servedConsole } from '../../support/served-console.ts';
import { issue, makeRoot, type Signer } from '../../support/signing-chain.ts';

async function files(t: TestContext) {
  const directory = await scratchDirectory(t);
  const save = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const server = makeRoot('localhost', { isCa: false });
  const clients = makeRoot('Workshop clients');
  return {
    save,
    server,
    clients,
    options: {
      certificateFile: await save('cert.pem', server.pem),
      keyFile: await save('key.pem', keyOf(server)),
      clientCaFile: await save('clients.pem', clients.pem),
    },
  };
}

function keyOf({ key }: Signer): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' });
}

function clientOf(url: string, certificate?: Signer, version: '1.1' | '2' = '2') {
  const own = certificate === undefined ? {} : { cert: certificate.pem, key: keyOf(certificate) };
  const nodeOptions = { ...own, rejectUnauthorized: false };
  const transport =
    version === '1.1'
      ? createConnectTransport({ baseUrl: url, httpVersion: '1.1', nodeOptions })
      : createGrpcTransport({ baseUrl: url, nodeOptions });
  return createClient(ConsoleService, transport);
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

describe('the console over TLS', () => {
  for (const version of ['1.1', '2'] as const) {
    it(`lets clients in by their certificates, with the role of their name, over HTTP/${version}`, async (t) => {
      const { clients, options } = await files(t);
      const { url } = await servedConsole(t, {
        options: { ...options, clientViewers: ['screen'], clientOperators: ['workshop'] },
      });
      assert.match(url, /^https:/);
      const callerOf = async (certificate: Signer | undefined) => {
        return clientOf(url, certificate, version).getCaller({});
      };
      const screen = issue(clients, 'screen');
      assert.deepEqual((await callerOf(screen)).role, Role.VIEWER);
      const workshop = await callerOf(issue(clients, 'workshop'));
      assert.deepEqual([workshop.name, workshop.role], ['workshop', Role.OPERATOR]);
      assert.equal(await codeOf(clientOf(url, screen, version).abort({})), Code.PermissionDenied);
      assert.equal(
        await codeOf(callerOf(issue(clients, 'somebody'))),
        Code.Unauthenticated,
        'a name without a role',
      );
      assert.equal(await codeOf(callerOf(undefined)), Code.Unauthenticated);
      const forged = issue(makeRoot('Workshop clients'), 'workshop');
      assert.equal(await codeOf(callerOf(forged)), Code.Unauthenticated, 'by another authority of that name');
      const own = await clientOf(url, undefined, version).getCaller({}, asOperator);
      assert.equal(own.name, 'local', 'tokens go on to be taken');
    });
  }

  it('speaks no TLS older than 1.2, and answers plain HTTP with nothing', async (t) => {
    const { options } = await files(t);
    const { url } = await servedConsole(t, { options });
    const { port } = new URL(url);
    const old = connectTls({
      port: Number(port),
      host: '127.0.0.1',
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    });
    const { promise, resolve } = Promise.withResolvers<string>();
    old.on('secureConnect', () => resolve('connected')).on('error', () => resolve('refused'));
    assert.equal(await promise, 'refused');
    await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
    const { promise: answered, resolve: answer } = Promise.withResolvers<number | undefined>();
    httpsRequest(`${url}/healthz`, { rejectUnauthorized: false }, ({ statusCode }) =>
      answer(statusCode),
    ).end();
    assert.equal(await answered, 200);
  });
});

/** A connection, and the certificate that it was met with. */
async function met(t: TestContext, url: string) {
  const socket = connectTls({
    port: Number(new URL(url).port),
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return { socket, subject: socket.getPeerCertificate().subject.CN };
}

async function answersOver(socket: TLSSocket): Promise<string> {
  socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [bytes] = await once(socket, 'data');
  return String(bytes).slice(0, 15);
}

describe('files of TLS that change', () => {
  it('are read again on SIGHUP, for new connections; open ones go on', async (t) => {
    const { save, options } = await files(t);
    const { url } = await servedConsole(t, { options });
    const old = await met(t, url);
    assert.equal(old.subject, 'localhost');
    const renewed = makeRoot('renewed', { isCa: false });
    await save('cert.pem', renewed.pem);
    await save('key.pem', keyOf(renewed));
    process.emit('SIGHUP');
    while ((await met(t, url)).subject !== 'renewed');
    assert.equal(await answersOver(old.socket), 'HTTP/1.1 200 OK');
    const { socket } = await met(t, url);
    assert.equal(await answersOver(socket), 'HTTP/1.1 200 OK');
  });

  it('let in clients of new authorities, and those of old ones no more', async (t) => {
    const { save, clients, options } = await files(t);
    const { url } = await servedConsole(t, { options: { ...options, clientOperators: ['workshop'] } });
    const others = makeRoot('Other clients');
    const renewed = makeRoot('renewed', { isCa: false });
    await save('clients.pem', others.pem);
    await save('cert.pem', renewed.pem);
    await save('key.pem', keyOf(renewed));
    process.emit('SIGHUP');
    while ((await met(t, url)).subject !== 'renewed');
    assert.equal(await codeOf(clientOf(url, issue(others, 'workshop')).getCaller({})), undefined);
    assert.equal(await codeOf(clientOf(url, issue(clients, 'workshop')).getCaller({})), Code.Unauthenticated);
  });
});

describe('files of TLS', () => {
  it('are refused with the option and what to do when they do not fit', async (t) => {
    const { save, options } = await files(t);
    const other = await save('other.pem', keyOf(makeRoot('other')));
    const text = await save('text.pem', 'hello');
    const empty = { certificateFile: undefined, keyFile: undefined, clientCaFile: undefined };
    const wrong = [
      [{ ...empty, certificateFile: options.certificateFile }, 'tls_incomplete', /key_file/],
      [{ ...empty, clientCaFile: options.clientCaFile }, 'tls_incomplete', /client_ca_file/],
      [{ ...options, keyFile: '/nowhere/key.pem' }, 'tls_unreadable', /console\.key_file \/nowhere/],
      [{ ...options, keyFile: other }, 'tls_invalid', /console\.key_file/],
      [{ ...options, certificateFile: text }, 'tls_invalid', /console\.certificate_file/],
      [{ ...options, clientCaFile: text }, 'tls_invalid', /console\.client_ca_file/],
    ] as const;
    for (const [setting, code, message] of wrong) {
      await assert.rejects(readTls(setting), (error) => {
        assert.ok(error instanceof ConsoleServerError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    }
    assert.equal(await readTls(empty), undefined);
  });
});
