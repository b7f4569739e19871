import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CatalogError, parseCatalog, readCatalogs, refusalOf } from '#diagnostics/signals/vss-catalog.ts';

const sample = join(import.meta.dirname, '..', '..', '..', 'scripts', 'vss-broker', 'vss.json');

const leaf = { type: 'sensor', datatype: 'uint8', description: 'Something.' };

function tree(change: object): object {
  const node = { ...leaf, ...change };
  return { Vehicle: { type: 'branch', description: 'The vehicle.', children: { Part: node } } };
}

describe('a catalog of signals', () => {
  it('of the sample vehicle has what conditions and diagnostics need', () => {
    const leaves = readCatalogs([sample]);
    assert.deepEqual(
      ['Vehicle.Speed', 'Vehicle.Powertrain.Transmission.SelectedGear', 'Vehicle.Diagnostics.DTCList'].map(
        (path) => leaves.get(path)?.datatype,
      ),
      ['float', 'int8', 'string[]'],
    );
    const state = leaves.get('Vehicle.LowVoltageSystemState');
    assert.ok(state !== undefined);
    assert.equal(refusalOf(state, 'ON'), undefined);
    assert.match(refusalOf(state, 'on') ?? '', /allowed/);
    const charge = leaves.get('Vehicle.Powertrain.TractionBattery.StateOfCharge.Current');
    assert.ok(charge !== undefined);
    assert.match(refusalOf(charge, 101) ?? '', /maximum/);
  });

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['a node without description', { description: undefined }, /x\.json: Vehicle\.Part: has no description/],
    ['a branch without children', { type: 'branch' }, /branch without children/],
    ['a kind that there is not', { type: 'signal' }, /has type "signal": write branch/],
    ['a struct', { datatype: 'Types.Vehicle.Position' }, /has datatype "Types\.Vehicle\.Position"/],
    ['a maximum of another datatype', { max: 0.5 }, /max: 0\.5 is no uint8/],
    ['a default out of range', { type: 'attribute', default: 300 }, /default: 300 is no uint8/],
    ['allowed values of another datatype', { allowed: ['A'] }, /allowed: "A" is no uint8/],
  ];
  for (const [what, change, message] of wrong) {
    it(`with ${what} is refused by name`, () => {
      assert.throws(
        () => parseCatalog(tree(change), 'x.json'),
        (error) => error instanceof CatalogError && message.test(error.message),
      );
    });
  }
});
