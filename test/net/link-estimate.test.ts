import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinkEstimate } from '#net/link-estimate.ts';
import { HandClock } from '../support/hand-clock.ts';

const kibi = 1024;
const mebi = 1024 * kibi;

/** A link over which much came long ago. */
function provenLink(): { clock: HandClock; link: LinkEstimate } {
  const clock = new HandClock();
  const link = new LinkEstimate(clock);
  link.received(10_000 * mebi);
  clock.pass(60_000);
  // Ends the window that all this counts to.
  link.received(0);
  clock.pass(60_000);
  return { clock, link };
}

/** Lets `bytesPerMs` flow for a while. */
function flow(link: LinkEstimate, clock: HandClock, bytesPerMs: number, ms: number): void {
  for (let passed = 0; passed < ms; passed += 10) {
    clock.pass(10);
    link.received(bytesPerMs * 10);
  }
}

describe('what the link holds', () => {
  it('is unknown before anything was seen', () => {
    assert.equal(new LinkEstimate(new HandClock()).bandwidthDelayBytes, 0);
  });

  it('is the best rate times the shortest latency', () => {
    const { clock, link } = provenLink();
    link.answered(80);
    link.answered(50);
    link.answered(120);
    flow(link, clock, 1000, 1000);
    flow(link, clock, 100, 1000);
    assert.equal(Math.round(link.bandwidthDelayBytes / 1000), 50);
  });

  it('follows the pace of one long body, which averages with its waiting time would hide', () => {
    const { link } = provenLink();
    link.answered(50);
    link.burst(mebi, 100);
    assert.equal(link.bandwidthDelayBytes, (mebi / 100) * 50);
  });

  it('learns nothing about the rate from a short body', () => {
    const { link } = provenLink();
    link.answered(50);
    link.burst(1000, 0.001);
    assert.equal(link.bandwidthDelayBytes, 0);
  });

  it('is no more than a 256th of what was received, as first impressions are wrong', () => {
    const link = new LinkEstimate(new HandClock());
    link.answered(200);
    link.burst(mebi, 10);
    link.received(256 * kibi);
    assert.equal(link.bandwidthDelayBytes, kibi);
  });

  it('forgets after ten seconds, so that a vehicle that drives into a tunnel asks for less', () => {
    const { clock, link } = provenLink();
    link.answered(50);
    flow(link, clock, 10_000, 1000);
    const before = link.bandwidthDelayBytes;
    clock.pass(4500);
    link.answered(50);
    flow(link, clock, 100, 1000);
    assert.equal(link.bandwidthDelayBytes, before, 'one generation remembers the other');
    clock.pass(5000);
    link.answered(50);
    flow(link, clock, 100, 1000);
    assert.ok(link.bandwidthDelayBytes < before / 50);
  });
});

it('a rate beyond 50 MB/s counts as that: it needs no more in flight', () => {
  const { link } = provenLink();
  link.answered(2);
  link.burst(100 * mebi, 1);
  assert.equal(link.bandwidthDelayBytes, 100_000);
});

describe('a segment', () => {
  it('is 64 KiB at first and on links that hold little', () => {
    const { clock, link } = provenLink();
    assert.equal(link.segmentBytes, 64 * kibi);
    link.answered(0.2);
    flow(link, clock, 100_000, 1000);
    assert.equal(link.segmentBytes, 64 * kibi);
  });

  it('grows with what the link holds, to 8 MiB', () => {
    const { link } = provenLink();
    link.answered(50);
    link.burst(mebi, 100);
    assert.equal(link.segmentBytes, mebi);
    const { link: far } = provenLink();
    far.answered(500);
    far.burst(mebi, 10);
    assert.equal(far.segmentBytes, 8 * mebi);
  });
});
