import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseRequest, UpdateRequestEntry } from '#domain/release.ts';
import { validateUpdateRequest } from '#update/request.ts';

const entry: UpdateRequestEntry = {
  ecuId: 'main',
  version: '2.0',
  url: 'http://127.0.0.1:8080/images/2.0',
  cookies: '',
  releaseName: '',
  releaseId: '',
  imageId: '',
};

function valid(change: Partial<UpdateRequestEntry>): ReleaseRequest {
  const request = validateUpdateRequest({ ...entry, ...change }, 'r1');
  assert.ok(!(request instanceof OtaFailure), 'refused');
  return request;
}

function refused(change: Partial<UpdateRequestEntry>): OtaFailure {
  const failure = validateUpdateRequest({ ...entry, ...change }, 'r1');
  assert.ok(failure instanceof OtaFailure, JSON.stringify(change));
  assert.equal(failure.code, 'request_invalid');
  assert.equal(failure.type, 'UNRECOVERABLE');
  return failure;
}

test('a url always ends with exactly one slash', () => {
  for (const url of ['http://h/a', 'http://h/a/', 'http://h/a///']) {
    assert.equal(valid({ url }).url.href, 'http://h/a/');
  }
  assert.equal(valid({ url: 'https://[::1]:8443' }).url.href, 'https://[::1]:8443/');
});

test('a url that is no http or https URL of a place is refused', () => {
  for (const url of [
    '',
    'x',
    '/local/path',
    'ftp://h/a',
    'file:///etc/passwd',
    'http://h/a?token=1',
    'http://h/a?',
    'http://h/a#b',
    ' http://h/a',
    'http://h/a\nb',
    `http://h/${'a'.repeat(3000)}`,
  ]) {
    assert.match(refused({ url }).detail, /^url/);
  }
});

test('a quarantined release is wanted only where the request says so', () => {
  assert.equal(valid({}).force, false);
  assert.equal(valid({ force: true }).force, true);
});

test('a password in a url is refused and not repeated', () => {
  const failure = refused({ url: 'http://user:hunter2@h/a' });
  assert.ok(!failure.reason.includes('hunter2'));
});

test('any printable version is taken as it is', () => {
  for (const version of ['1', ' v1/ä "x" ', '日本', 'x'.repeat(1024)]) {
    assert.equal(valid({ version }).version, version);
  }
});

test('a version that fits no status file or line is refused', () => {
  for (const version of [
    '',
    '  ',
    'a\nb',
    'a\u0000',
    '\ud800',
    'a\u2028b',
    'x'.repeat(1025),
    'ä'.repeat(513),
  ]) {
    assert.match(refused({ version }).detail, /^version/);
  }
});

test('cookies are none or a JSON object of texts', () => {
  assert.deepEqual(valid({ cookies: '' }).cookies, new Map());
  assert.deepEqual(valid({ cookies: '{}' }).cookies, new Map());
  assert.deepEqual(
    valid({ cookies: '{"CloudFront-Policy": "a~b=", "k": ""}' }).cookies,
    new Map([
      ['CloudFront-Policy', 'a~b='],
      ['k', ''],
    ]),
  );
});

test('cookies that could break out of their header, or are too many, are refused and never repeated', () => {
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`c${n}`, 'SECRET'])));
  for (const cookies of [
    'SECRET',
    '"SECRET"',
    '["SECRET"]',
    'null',
    '{"a": 1, "b": "SECRET"}',
    '{"a": {"b": "SECRET"}}',
    '{"a": "SECRET;b"}',
    '{"a": "SECRET\\r\\nX: y"}',
    '{"a": "SECRETä"}',
    '{"a b": "SECRET"}',
    '{"": "SECRET"}',
    many,
    JSON.stringify({ a: `SECRET${'x'.repeat(20_000)}` }),
  ]) {
    const failure = refused({ cookies });
    assert.ok(!failure.reason.includes('SECRET'), failure.reason);
    assert.equal(failure.cause, undefined);
  }
});

test('release details are kept only when all three are given', () => {
  const detail = { releaseName: 'n', releaseId: 'i', imageId: 'm' };
  assert.deepEqual(valid(detail).detail, detail);
  assert.equal(valid({ ...detail, imageId: '' }).detail, undefined);
  assert.match(refused({ releaseName: 'x'.repeat(1025) }).detail, /release_name/);
});
