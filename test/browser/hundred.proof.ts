import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureDashboard } from '../../scripts/dashboard/build.ts';
import { assertAccessible, noChromium, openPage, startChromium } from '../support/chromium.ts';
import { startConsoleVehicle, tokens } from '../support/console-vehicle.ts';
import { scriptedFleet } from '../support/scripted-fleet.ts';

const measureMs = 10_000;

/** What the browser did while it was measured. */
interface Measured {
  /** Longest time between two frames, and the 95th of a hundred, in milliseconds. */
  readonly worst: number;
  readonly p95: number;
  readonly frames: number;
  readonly longTasks: number;
  /** Lines of ECUs that changed, summed up. */
  readonly lines: number;
}

describe('a hundred ECUs', { skip: noChromium() }, () => {
  it('all change five times a second, and the page stays smooth', async (t) => {
    await ensureDashboard(join(import.meta.dirname, '../..'));
    const fleet = await scriptedFleet(t, { name: 'zone', size: 99, updateMs: 600_000 });
    const { url, daemon } = await startConsoleVehicle(t, [{ ecuId: 'zone', port: fleet.peer.port }]);
    const browser = await startChromium(t);
    const { page, complaints } = await openPage(browser, { viewport: { width: 1440, height: 900 } });
    await page.goto(`${url}#token=${tokens.operator}`);
    await page.locator('[data-ecu="zone-98"]').waitFor();
    assert.equal(await page.locator('[data-ecu]').count(), 100);
    const same = { version: '2.0', url: 'http://127.0.0.1:9/', cookies: '' };
    const entries = fleet.ecuIds.map((ecuId) => ({
      ecuId,
      ...same,
      releaseName: '',
      releaseId: '',
      imageId: '',
    }));
    await daemon.client.update({ entries, requestId: 'hundred' }, daemon.call());
    await page.getByRole('button', { name: /99 updating/ }).waitFor();
    await page.locator('.percent', { hasText: '1 %' }).first().waitFor();

    const session = await page.context().newCDPSession(page);
    // What the page's own thread computes, not what it waits for: other work on the machine does not count.
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busy = async (): Promise<number> => {
      const { metrics } = await session.send('Performance.getMetrics');
      return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
    };
    const before = await busy();
    const measured = page.evaluate<Measured>(`new Promise((resolve) => {
      const gaps = []; let last = performance.now(); let longTasks = 0; let lines = 0;
      new PerformanceObserver((list) => { longTasks += list.getEntries().length; }).observe({ type: 'longtask' });
      new MutationObserver((list) => {
        lines += new Set(list.map(({ target }) => (target.closest ?? target.parentElement.closest).call(
          target.closest ? target : target.parentElement, '[data-ecu]'))).size;
      }).observe(document.querySelector('[role=treegrid]'), { subtree: true, characterData: true, childList: true, attributes: true });
      const end = last + ${measureMs};
      requestAnimationFrame(function frame(now) {
        gaps.push(now - last); last = now;
        if (now < end) return requestAnimationFrame(frame);
        gaps.sort((a, b) => a - b);
        resolve({ worst: gaps.at(-1), p95: gaps[Math.floor(gaps.length * 0.95)], frames: gaps.length, longTasks, lines });
      });
    })`);
    await delay(measureMs);
    const { worst, p95, frames, longTasks, lines } = await measured;
    const share = ((await busy()) - before) / (measureMs / 1000);
    t.diagnostic(
      `${(share * 100).toFixed(1)} % of the page's thread, ${frames} frames, 95 of 100 within ${p95.toFixed(1)} ms, ` +
        `worst ${worst.toFixed(0)} ms, ${longTasks} long tasks, ${lines} lines drawn`,
    );
    assert.ok(share > 0 && share < 0.5, `the page computes ${(share * 100).toFixed(0)} % of the time`);
    assert.ok(lines > 500, `only ${lines} lines changed: nothing was measured`);
    await assertAccessible(page, 'a hundred ECUs');
    assert.deepEqual(complaints, []);
  });
});
