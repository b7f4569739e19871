import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCampaign } from '#diagnostics/campaign/parse-campaign.ts';

describe('the file of a campaign', () => {
  it('that cannot be read is refused with the place and the mend', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['id: a\nsignals: [{path: A.X, mode: sometimes}]', /signals\[0\]\.mode.*write every, on_change/],
      ['id: a\nsignals: [{path: Speed, mode: every}]', /signals\[0\]\.path.*absolute VSS path/],
      ['id: a\nsignals: [{path: A.X, mode: every}, {path: A.X, mode: every}]', /same signal as signals\[0\]/],
      [
        'id: a\nsignals: []\ntriggers: [{name: t, on: condition, when: "A.X >"}]',
        /triggers\[0\]\.when.*at character/,
      ],
      ['id: a\nsignals: []\ntriggers: [{name: t, on: update}]', /triggers\[0\]\.states.*is missing/],
      [
        'id: a\nstart: 2026-01-02T00:00:00Z\nexpires: 2026-01-01T00:00:00Z\nsignals: []',
        /expires.*not after start/,
      ],
      ['id: "a b"\nsignals: []', /id.*letters, digits/],
      ['[]', /./],
    ];
    const several = parseCampaign(
      `id: a
expires: tomorrow
signals:
  - { path: A.X, mode: periodic }
  - { path: A.Y, mode: every, period_ms: 5 }
  - { path: A.X, mode: every }
triggers:
  - { name: t, on: condition, when: A.X >, edge: falling }
  - { name: u, on: update, states: [UPDATED] }
  - { name: t, on: hope }
`,
      'c.yml',
    );
    assert.ok(!several.ok);
    assert.deepEqual(
      several.problems.map(({ line, key }) => `${line} ${key}`),
      [
        '2 expires',
        '4 signals[0].period_ms',
        '5 signals[1].period_ms',
        '6 signals[2].path',
        '8 triggers[0].when',
        '8 triggers[0].edge',
        '9 triggers[1].states[0]',
        '10 triggers[2].on',
        '10 triggers[2].name',
      ],
    );
    for (const { mend, what } of several.problems) assert.ok(mend !== '' && what !== '');
    for (const [text, message] of wrong) {
      const read = parseCampaign(text, 'c.yml');
      assert.ok(!read.ok, text);
      const told = read.problems.map(({ key, what, mend }) => `${key} ${what} ${mend}`).join('\n');
      assert.match(told, message);
    }
  });
});
