import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate } from '#diagnostics/expression/evaluate.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import { ExpressionError, signalsIn } from '#domain/expression/syntax.ts';

const signals: Readonly<Record<string, VssValue>> = {
  'Vehicle.Speed': 0.05,
  'Vehicle.IsMoving': false,
  'Vehicle.Powertrain.Transmission.SelectedGear': 126,
  'Vehicle.LowVoltageSystemState': 'ON',
  'Vehicle.Diagnostics.DTCList': [],
  'Vehicle.Big': 2n ** 60n + 1n,
  'Vehicle.NaN': Number.NaN,
};

function holds(text: string, age = 0, maxAgeMs = 100): boolean | undefined {
  return evaluate(parseExpression(text), {
    values: {
      latest: (path) => {
        const value = signals[path];
        return value === undefined ? undefined : { value, ts: 0n, receivedAt: 1000 - age };
      },
    },
    now: 1000,
    maxAgeMs,
  });
}

describe('an expression', () => {
  it('compares signals with literals and with each other', () => {
    assert.equal(holds('Vehicle.Speed < 0.1'), true);
    assert.equal(holds('0.1 <= Vehicle.Speed'), false);
    assert.equal(holds("Vehicle.LowVoltageSystemState == 'ON'"), true);
    assert.equal(holds('Vehicle.LowVoltageSystemState != "ON"'), false);
    assert.equal(holds('Vehicle.IsMoving == false'), true);
    assert.equal(holds('Vehicle.Speed < Vehicle.Powertrain.Transmission.SelectedGear'), true);
    assert.equal(holds('Vehicle.Big > 1152921504606846976'), true);
  });

  it('combines with and, or, not and brackets, and binds tighter in this order', () => {
    assert.equal(holds('not Vehicle.IsMoving and Vehicle.Speed < 0.1'), true);
    assert.equal(holds('Vehicle.IsMoving or Vehicle.Speed < 0.1 && Vehicle.Speed > 1'), false);
    assert.equal(holds('(Vehicle.IsMoving || Vehicle.Speed < 0.1) && !(Vehicle.Speed > 1)'), true);
    assert.equal(holds('empty(Vehicle.Diagnostics.DTCList)'), true);
  });

  it('knows that it does not know', () => {
    assert.equal(holds('Vehicle.Missing > 1'), undefined);
    assert.equal(holds('Vehicle.Missing > 1 and Vehicle.IsMoving'), false);
    assert.equal(holds('Vehicle.Missing > 1 or not Vehicle.IsMoving'), true);
    assert.equal(holds('Vehicle.Missing > 1 and not Vehicle.IsMoving'), undefined);
    assert.equal(holds('not Vehicle.Missing'), undefined);
    assert.equal(holds('known(Vehicle.Missing)'), false);
    assert.equal(holds('Vehicle.Speed == "fast"'), undefined);
    assert.equal(holds('Vehicle.NaN < 1'), undefined);
    assert.equal(holds('Vehicle.Speed'), undefined);
  });

  it('takes no stale value for a value', () => {
    assert.equal(holds('Vehicle.Speed < 0.1', 100), true);
    assert.equal(holds('Vehicle.Speed < 0.1', 101), undefined);
    assert.equal(holds('known(Vehicle.Speed)', 101), false);
  });

  it('names its signals', () => {
    const expression = parseExpression('A.B > 1 and (not C.D or empty(E.F)) and A.B < 5');
    assert.deepEqual(signalsIn(expression), ['A.B', 'C.D', 'E.F']);
  });

  it('that cannot be read is refused with the place and what is expected', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['', /at character 1: a signal .* is expected, not the end/],
      ['Vehicle.Speed <', /at character 16: a signal/],
      ['Vehicle.Speed < 1 Vehicle.IsMoving', /at character 19: the end, `and` or `or` is expected/],
      ['(Vehicle.IsMoving', /at character 18: `\)` is expected/],
      ['Speed < 1', /at character 1: a signal such as Vehicle.Speed/],
      ['Vehicle.Speed ~ 1', /at character 15: "~" has no meaning here/],
      ['1', /at character 2: a comparison/],
      ['Vehicle.Speed < 1km', /at character 17/],
      [`${'not '.repeat(100)}A.B`, /nested deeper/],
      ['('.repeat(5000), /longer than/],
    ];
    for (const [text, message] of wrong) {
      assert.throws(
        () => parseExpression(text),
        (error) => error instanceof ExpressionError && message.test(error.message),
        text,
      );
    }
  });
});
