import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redacted } from '#update/black-box/redact.ts';

test('cookies, credentials, tokens and keys go, and what is around them stays', () => {
  const cases = [
    ['GET / HTTP/1.1\nCookie: a=S3CRET; b=S3CRET\nHost: h', 'Host: h'],
    ['set-cookie=sid=S3CRET; Path=/ \nnext line', 'next line'],
    ['Authorization: Bearer S3CRET.S3CRET\nend', 'end'],
    ['curl used Bearer S3CRET-S3CRET and stopped', 'and stopped'],
    ['{"cookies":"{\\"k\\":\\"S3CRET\\"}","step":"verify"}', '"step":"verify"'],
    ['{"msg":"x","cookies":{"k":"S3CRET"},"step":1}', '"step":1'],
    ['inner {\\"token\\":\\"S3CRET\\",\\"code\\":7}', 'code'],
    ['failed: access_token=S3CRET&user=1', 'user=1'],
    ['password = "S3CRET with space" user=x', 'user=x'],
    ["api-key: 'S3CRET' rest", 'rest'],
    ['MY_API_TOKEN=S3CRET rest', 'rest'],
    ['CloudFront-Signature=S3CRET, more', 'more'],
    ['fetch http://me:S3CRET@host/a failed', 'host/a failed'],
    ['fetch https://host/a?sig=S3CRET&x=S3CRET failed', 'https://host/a'],
    ['fetch https://host/a#S3CRET failed', 'failed'],
    ['jwt eyJhbGciS3CRET.eyJzdWIiS3CRET.S3CRET end', 'end'],
    ['-----BEGIN EC PRIVATE KEY-----\nS3CRET\n-----END EC PRIVATE KEY-----\nafter', 'after'],
    ['-----BEGIN PRIVATE KEY-----\nS3CRET cut off', 'jwt'],
  ] as const;
  for (const [text, stays] of cases) {
    const clean = redacted(text);
    assert.ok(!clean.includes('S3CRET'), clean);
    assert.ok(clean.includes('(redacted)'), clean);
    assert.equal(redacted(clean), clean, 'cleaned once is clean');
    if (stays !== 'jwt') assert.ok(clean.includes(stays), `${clean} lacks ${stays}`);
  }
});

test('an ordinary log stays as it is', () => {
  for (const text of [
    'Nov 22 22:30:01 ecu systemd[1]: Started Session 3 of User root.',
    'check web ended with exit code 7, and wrote: port 8080 closed',
    'http://10.0.0.9:8080/2.0/ is reached by http://proxy:3128/',
    '{"level":30,"ecu":"main","sessionId":"1795336170-2-1f2e3d4c","msg":"step verify"}',
    'kernel: Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
  ]) {
    assert.equal(redacted(text), text);
  }
});

test('a text made to be slow is done at once', () => {
  const started = performance.now();
  for (const piece of [
    '"cookie',
    '"cookie":{',
    '"cookie":"a\\',
    'a://',
    'token=',
    'Cookie:',
    '-----BEGIN PRIVATE KEY-----',
    'eyJaaaa.',
  ]) {
    redacted(piece.repeat(Math.ceil(65_536 / piece.length)));
  }
  assert.ok(performance.now() - started < 2000);
});
