import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { ecuRoot, overlaySignals } from '#diagnostics/signals/overlay.ts';
import { overlayJson, overlayVspec } from '#diagnostics/signals/overlay-files.ts';
import { overlayRoot, vehicleSignals } from '#diagnostics/signals/overlay-vehicle.ts';
import { parseCatalog } from '#diagnostics/signals/vss-catalog.ts';

const ids = ['main', 'ecu 2: "front"', 'Main'];

describe('the overlay of our signals', () => {
  it('is a catalog that a databroker loads, with every signal that is published', () => {
    const leaves = parseCatalog(JSON.parse(overlayJson(ids)), 'overlay.json');
    const paths = new Map(leaves.map(({ path, datatype }) => [path, datatype]));
    for (const { name, datatype } of vehicleSignals)
      assert.equal(paths.get(`${overlayRoot}.${name}`), datatype);
    for (const ecu of ['Main', 'EcuTwoFront', 'MainCopyZero'])
      for (const { name, datatype } of overlaySignals)
        assert.equal(paths.get(`${ecuRoot}.${ecu}.${name}`), datatype, `${ecu} ${name}`);
  });

  it('names nothing that a token could not allow to read', () => {
    const leaves = parseCatalog(JSON.parse(overlayJson(ids)), 'overlay.json');
    for (const { path, datatype } of leaves) {
      assert.match(path, /^Vehicle(\.[A-Z][A-Za-z01]*)+$/);
      if (datatype === 'boolean') assert.match(path, /\.Is[A-Z]\w*$/);
    }
    const lower = leaves.map(({ path }) => path.toLowerCase());
    assert.equal(new Set(lower).size, lower.length);
  });

  it('says the same as vspec, every branch before what is in it', () => {
    const vspec = parse(overlayVspec(ids)) as Record<string, Record<string, string>>;
    const json = JSON.parse(overlayJson(ids)) as Record<string, unknown>;
    const seen = new Set(['Vehicle']);
    for (const [path, fields] of Object.entries(vspec)) {
      assert.ok(seen.has(path.slice(0, path.lastIndexOf('.'))), `${path} has no branch before it`);
      seen.add(path);
      let node: unknown = { children: json };
      for (const name of path.split('.'))
        node = (node as { children: Record<string, unknown> }).children[name];
      const { children: _, 'x-kuksa-changetype': changes, ...rest } = node as Record<string, unknown>;
      assert.deepEqual(fields, rest, path);
      assert.equal(changes, fields['type'] === 'branch' ? undefined : 'onchange');
    }
    const leaves = parseCatalog(json, 'overlay.json');
    assert.equal(Object.values(vspec).filter(({ type }) => type !== 'branch').length, leaves.length);
  });
});
