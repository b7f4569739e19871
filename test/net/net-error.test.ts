import assert from 'node:assert/strict';
import { it } from 'node:test';
import { NetError, publicUrl } from '#net/net-error.ts';

it('an error shows where, but neither user, password, query nor fragment of the URL', () => {
  const url = new URL('https://user:secret1@image.example:8443/a%20b/c?Signature=secret2#secret3');
  assert.equal(publicUrl(url), 'https://image.example:8443/a%20b/c');
  const error = new NetError('not_found', url, 'the server answers 404', { status: 404 });
  assert.equal(error.message, 'https://image.example:8443/a%20b/c: the server answers 404');
  assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /secret/);
});
