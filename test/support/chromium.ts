import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const places = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const program = places.find((path) => path !== undefined && existsSync(path));

/** Why no browser can be started here; false when one can. In CI that is a failure. */
export function noChromium(): string | false {
  if (program !== undefined) return false;
  const why = 'there is no Chromium: install the package `chromium`, or name one in the variable CHROMIUM';
  if (process.env['CI'] !== undefined) throw new Error(why);
  return why;
}

/** A real Chromium; closed with the test. */
export async function startChromium(t: TestContext): Promise<Browser> {
  const browser = await chromium.launch({
    ...(program === undefined ? {} : { executablePath: program }),
    // Its sandbox refuses to run as root.
    args: process.geteuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  t.after(() => browser.close());
  return browser;
}

/** A page, and everything that it complained of: errors, and what the Content-Security-Policy kept from it. */
export interface WatchedPage {
  readonly page: Page;
  readonly complaints: string[];
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  // Everything else is busy too: what has to happen happens, but not at once.
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // Answers that are refusals, and connections that break, are logged by the browser itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(message.text());
    }
  });
  return { page, complaints };
}

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** Fails when axe-core finds anything: all of its rules, best practices too. */
export async function assertAccessible(page: Page, state: string): Promise<void> {
  await page.evaluate(await axe);
  const { violations } = await page.evaluate<{ violations: readonly Violation[] }>('axe.run(document)');
  const told = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `  ${html}\n  ${failureSummary}`).join('\n')}`,
  );
  assert.deepEqual(told, [], state);
}
