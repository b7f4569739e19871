import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { ensureDashboard } from '../../scripts/dashboard/build.ts';
import { assertAccessible, noChromium, openPage, startChromium } from '../support/chromium.ts';
import { startConsoleVehicle, tokens } from '../support/console-vehicle.ts';
import { scriptedFleet } from '../support/scripted-fleet.ts';
import { makeTree } from '../support/update-world.ts';

const root = join(import.meta.dirname, '../..');

/** Signs in by a link, as an operator unless it says otherwise. */
async function enter(page: Page, url: string, token: string = tokens.operator): Promise<void> {
  await page.goto(`${url}#token=${token}`);
  await page.getByRole('treegrid').waitFor();
}

function row(page: Page, ecuId: string) {
  return page.locator(`[data-ecu="${ecuId}"]`);
}

/** Asks for an update of ECUs as a person does: form, plan, button. */
async function update(page: Page, ecuIds: readonly string[], url: string, version: string): Promise<void> {
  await page.getByRole('button', { name: 'Update…' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Image URL').fill(url);
  await dialog.getByLabel('Version', { exact: true }).fill(version);
  await dialog.getByRole('button', { name: 'None' }).click();
  for (const ecuId of ecuIds)
    await dialog.getByRole('checkbox', { name: new RegExp(`^${ecuId}\\b(?!-)`) }).check();
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.getByRole('button', { name: /^Update / }).click();
}

/** Notes every percentage that a line of the tree shows, from now on. */
async function notePercents(page: Page, ecuId: string): Promise<() => Promise<number[]>> {
  await page.evaluate(`
    window.percents = [];
    const note = () => {
      const bar = document.querySelector('[data-ecu="${ecuId}"] [role=progressbar]');
      const now = bar?.getAttribute('aria-valuenow');
      if (now != null && window.percents.at(-1) !== Number(now)) window.percents.push(Number(now));
    };
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
  `);
  return () => page.evaluate<number[]>('window.percents');
}

describe('the dashboard in a real browser', { skip: noChromium() }, () => {
  before(async () => {
    await ensureDashboard(root);
  });

  it('lets nobody in without a token, says why, and keeps a token out of the address', async (t) => {
    const { url, localToken } = await startConsoleVehicle(t);
    const browser = await startChromium(t);
    const { page, complaints } = await openPage(browser);
    await page.goto(url);
    await page.getByRole('heading', { name: 'Vehicle OTA' }).waitFor();
    assert.doesNotMatch(await page.content(), /slot_|firmware|treegrid/);
    await assertAccessible(page, 'login');
    await page.getByLabel('Token').fill('not-a-token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'does not know this token' }).waitFor();
    await assertAccessible(page, 'login refused');
    await page.getByLabel('Token').fill(await localToken());
    await page.getByRole('button', { name: 'Sign in' }).click();
    await row(page, 'main').waitFor();
    await page.reload();
    await row(page, 'main').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Vehicle OTA' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Vehicle OTA' }).waitFor();
    await enter(page, url);
    assert.doesNotMatch(page.url(), /token|operator/);
    assert.deepEqual(complaints, []);
  });

  it('shows viewers everything and why they have no buttons; the API refuses them too', async (t) => {
    const { url } = await startConsoleVehicle(t);
    const browser = await startChromium(t);
    const { page, complaints } = await openPage(browser);
    await enter(page, url, tokens.viewer);
    await page.getByText('need the role operator').waitFor();
    assert.equal(await page.getByRole('button', { name: /Update|Roll back|Abort/ }).count(), 0);
    await page.keyboard.press('u');
    assert.equal(await page.getByRole('dialog').count(), 0);
    const refused = await page.evaluate<{ code: string }>(`
      fetch('ota.console.v1.ConsoleService/StartUpdate', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer ${tokens.viewer}' },
        body: '{"targets":[{"ecuId":"main","version":"2","url":"http://127.0.0.1/"}]}',
      }).then((answer) => answer.json())`);
    assert.equal(refused.code, 'permission_denied');
    await assertAccessible(page, 'viewer');
    assert.deepEqual(complaints, []);
  });

  it('follows an update from the request to the commit, a rollback, and a daemon that is killed', async (t) => {
    const { url, world, daemon } = await startConsoleVehicle(t);
    const kept = { 'etc/os-release': 'ID=test\n', 'usr/kept': randomBytes(2_000_000) };
    await makeTree(world.tree.activeRoot, kept);
    const fresh = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`usr/fresh/${index}`, randomBytes(40_000)]),
    );
    await world.publish({ ...kept, ...fresh });
    const browser = await startChromium(t);
    const { page, complaints } = await openPage(browser);
    await enter(page, url);
    const percents = await notePercents(page, 'main');
    await update(page, ['main'], world.server.origin.href, '2');
    await page.getByText('Update started:').waitFor();
    await assertAccessible(page, 'answers of an update');
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
    await row(page, 'main').click();
    await page.getByRole('list', { name: 'Phases' }).waitFor();
    // The daemon starts again in the new slot meanwhile: the page comes back by itself.
    await page.locator('.job .tag', { hasText: 'committed' }).waitFor();
    await row(page, 'main').getByText('2', { exact: true }).waitFor();
    const seen = await percents();
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
      'the percentage went back',
    );
    assert.ok(
      seen.every((percent) => percent < 100),
      '100 % before the commit',
    );
    await page.locator('.big b', { hasText: '100 %' }).waitFor();
    await assertAccessible(page, 'an update that is committed');

    await page.getByRole('button', { name: 'Roll back…' }).click();
    await assertAccessible(page, 'rollback dialog');
    await page.getByRole('button', { name: 'Roll back main' }).click();
    await page.getByRole('dialog').getByRole('status').waitFor();
    assert.match(await page.getByRole('dialog').getByRole('status').innerText(), /Rolling back:/);
    await page.keyboard.press('Escape');
    await page.locator('.facts', { hasText: 'slot_a' }).waitFor();

    await page.getByText('Live').waitFor();
    await daemon.end('SIGKILL');
    await page.getByText('Not connected.').waitFor();
    await assertAccessible(page, 'connection lost');
    await page.getByText('Live').waitFor();
    await page.getByText('Not connected.').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Journal' }).first().click();
    await page.locator('.events li').first().waitFor();
    await page.getByPlaceholder('Search text or caller').fill('rollback');
    await page.locator('.events li', { hasText: 'operator' }).first().waitFor();
    await assertAccessible(page, 'journal');
    assert.deepEqual(complaints, []);
  });

  it('shows a refusal, a failing ECU and a child that vanishes', async (t) => {
    const fleet = await scriptedFleet(t, {
      name: 'zone',
      size: 4,
      updateMs: 6000,
      moods: { 'zone-01': 'refuses', 'zone-02': 'fails' },
    });
    const { url } = await startConsoleVehicle(t, [{ ecuId: 'zone', port: fleet.peer.port }]);
    const browser = await startChromium(t);
    const { page, complaints } = await openPage(browser);
    await enter(page, url);
    await row(page, 'zone-03').waitFor();
    assert.equal(await row(page, 'zone-03').getAttribute('aria-level'), '3');
    await update(page, fleet.ecuIds, 'http://127.0.0.1:9/{ecu}/', '2.0');
    await page.getByRole('dialog').getByText('stop it and ask again').waitFor();
    await assertAccessible(page, 'a refusal');
    await page.keyboard.press('Escape');
    await row(page, 'zone-03').getByRole('progressbar').waitFor();
    await row(page, 'zone-02').getByText('Update failed').waitFor();
    await row(page, 'zone-02').click();
    await page.locator('.note-bad', { hasText: 'Check the link to the server' }).waitFor();
    await assertAccessible(page, 'a failed ECU');
    await page.keyboard.press('Escape');
    await row(page, 'zone-03').getByText('Committed').waitFor();
    fleet.peer.stop();
    await row(page, 'zone').getByText('Silent').waitFor();
    await page.getByRole('heading', { name: /need attention/ }).waitFor();
    await assertAccessible(page, 'a vanished child');
    await page.getByRole('button', { name: /4 silent/ }).click();
    assert.equal(await page.locator('[data-ecu]').count(), 4);
    await scriptedFleet(t, { name: 'zone', size: 4, updateMs: 6000, port: fleet.peer.port });
    await page.getByRole('button', { name: /0 silent/ }).waitFor();
    assert.deepEqual(complaints, []);
  });

  it('is whole with keys alone, in both colours, on a narrow screen, in every view', async (t) => {
    const fleet = await scriptedFleet(t, { name: 'zone', size: 12, updateMs: 60_000 });
    const { url } = await startConsoleVehicle(
      t,
      [{ ecuId: 'zone', port: fleet.peer.port }],
      'diagnostics: { enabled: true }\n',
    );
    const browser = await startChromium(t);
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = colorScheme === 'light' ? { width: 360, height: 740 } : { width: 1440, height: 900 };
      const { page, complaints } = await openPage(browser, {
        colorScheme,
        viewport,
        reducedMotion: 'reduce',
      });
      await enter(page, url);
      await row(page, 'zone-11').waitFor();
      await row(page, 'main').focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowLeft');
      await row(page, 'zone-11').waitFor({ state: 'detached' });
      await page.keyboard.press('ArrowRight');
      await row(page, 'zone-11').waitFor();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'zone', exact: true }).waitFor();
      await assertAccessible(page, `${colorScheme} detail`);
      await page.keyboard.press('Escape');
      await page.keyboard.press('u');
      await page.getByRole('dialog').waitFor();
      await assertAccessible(page, `${colorScheme} update dialog`);
      for (let step = 0; step < 20; step++) {
        await page.keyboard.press('Tab');
        const outside = await page.evaluate(
          'document.activeElement !== document.body && document.activeElement.closest("dialog") === null',
        );
        assert.equal(outside, false, 'the focus left the dialog');
      }
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      for (const [key, name] of [
        ['2', 'Journal'],
        ['3', 'Signals'],
        ['4', 'Diagnostics'],
        ['1', 'ECUs'],
      ] as const) {
        await page.keyboard.press(key);
        await page
          .getByRole('heading', { name: name === 'Diagnostics' ? /Diagnostics|Sources/ : name, exact: true })
          .waitFor();
        await assertAccessible(page, `${colorScheme} ${name}`);
        const overflow = await page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        assert.equal(overflow, 0, `${name} is wider than the screen`);
      }
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
      await assertAccessible(page, `${colorScheme} help`);
      assert.deepEqual(complaints, []);
    }
  });
});
