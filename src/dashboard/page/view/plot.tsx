import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { PhaseSpan } from '#dashboard/page/model/history.ts';
import { colours } from '#dashboard/page/model/preferences.ts';
import { phaseShort, phases } from '#dashboard/page/words/states.ts';

export interface PlotLine {
  readonly name: string;
  readonly values: readonly number[];
  /** Name of the colour in the style sheet. */
  readonly colour: string;
  readonly fill: boolean;
}

interface PlotProps {
  readonly title: string;
  /** The plot in words. */
  readonly label: string;
  readonly times: readonly number[];
  readonly lines: readonly PlotLine[];
  readonly text: (value: number) => string;
  /** Shaded behind the lines. */
  readonly spans: readonly PhaseSpan[];
  readonly isStepped?: boolean;
  /** Names of the whole numbers from 0 on, where values are such. */
  readonly labels?: readonly string[];
}

const height = 150;

/** Room beside a plot for its values: most need no more than the least, so that plots stand in line. */
const leastRoom = 66;
const mostRoom = 150;

function axisFont(ratio: number): string {
  return `${11 * ratio}px system-ui, sans-serif`;
}

/** Lines over time, with phases of updates behind them. */
export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const newest = useRef(props);
  newest.current = props;
  const { title, label, times, lines, text } = props;
  const shape = lines.map(({ name }) => name).join();

  useEffect(() => {
    const { current } = box;
    if (current === null) return undefined;
    const made = new uPlot(optionsFor(newest), dataOf(newest.current), current);
    plot.current = made;
    const sized = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width > 0) made.setSize({ width, height });
    });
    sized.observe(current);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  const points = times.length;
  const lastTime = times.at(-1);
  const lastValue = lines[0]?.values.at(-1);
  useEffect(() => plot.current?.setData(dataOf(newest.current)), [points, lastTime, lastValue]);
  useEffect(() => plot.current?.redraw(false), [colours.value]);

  return (
    <figure class="plot">
      <figcaption>
        <b>{title}</b>
        {lines.map(({ name, colour, values }) => (
          <span key={name}>
            <i class={`swatch swatch${colour.slice(1)}`} />
            {lines.length > 1 ? `${name} ` : ''}
            <span class="mono">{text(values.at(-1) ?? 0)}</span>
          </span>
        ))}
      </figcaption>
      <div ref={box} class="plot-box" role="img" aria-label={label} />
    </figure>
  );
}

function dataOf({ times, lines }: PlotProps): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
}

interface Newest {
  readonly current: PlotProps;
}

function optionsFor(newest: Newest): uPlot.Options {
  const { lines, isStepped, labels } = newest.current;
  const grid = { stroke: () => colour('--line'), width: 1 };
  const axis = {
    stroke: () => colour('--text-quiet'),
    font: axisFont(1),
    grid,
    ticks: { show: false },
  };
  const steps = uPlot.paths.stepped?.({ align: 1 });
  return {
    width: 300,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, sync: { key: 'vehicle' }, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_plot, low, high) => rangeOf(low, high, newest.current) } },
    axes: [
      { ...axis, size: 24, space: 70, values: (_plot, splits) => splits.map(timeText) },
      {
        ...axis,
        size: (plot, texts) => widthFor(plot, texts),
        space: 32,
        values: (_plot, splits) => splits.map((value) => tickText(value, newest.current)),
        ...(labels === undefined
          ? {}
          : { splits: () => (newest.current.labels ?? []).map((_, index) => index) }),
      },
    ],
    series: [
      {},
      ...lines.map(
        (line): uPlot.Series => ({
          label: line.name,
          width: 1.5,
          stroke: () => colour(line.colour),
          points: { show: false },
          ...(line.fill ? { fill: () => colour(`${line.colour}-fill`) } : {}),
          ...(isStepped === true && steps !== undefined ? { paths: steps } : {}),
        }),
      ),
    ],
    hooks: { drawClear: [(plot) => shade(plot, newest.current.spans)] },
  };
}

function rangeOf(low: number | null, high: number | null, { labels, lines }: PlotProps): [number, number] {
  if (labels !== undefined) return [-0.4, Math.max(1, labels.length - 1) + 0.4];
  const [from, to] = [low ?? 0, high ?? 1];
  // Amounts begin at nothing; other values may be anywhere.
  if (lines.some(({ fill }) => fill) || from === 0) return [Math.min(0, from), to <= 0 ? 1 : to * 1.1];
  const air = Math.max((to - from) * 0.1, Math.abs(to) * 0.01, 0.1);
  return [from - air, to + air];
}

function tickText(value: number, { text, labels }: PlotProps): string {
  if (labels === undefined) return text(value);
  const name = labels[value] ?? '';
  return name.length > 10 ? `${name.slice(0, 9)}…` : name;
}

/** What the longest of the texts needs, and the air that uPlot leaves, in CSS pixels. */
function widthFor({ ctx }: uPlot, texts: readonly string[] | null): number {
  ctx.save();
  ctx.font = axisFont(devicePixelRatio);
  const widths = (texts ?? []).map((text) => ctx.measureText(text).width / devicePixelRatio);
  ctx.restore();
  return Math.min(Math.max(leastRoom, Math.ceil(Math.max(0, ...widths)) + 12), mostRoom);
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

function timeText(seconds: number): string {
  return clock.format(seconds * 1000);
}

/** Phases behind the lines, told apart by shade and name. */
function shade(plot: uPlot, spans: readonly PhaseSpan[]): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const [low, high] = [plot.scales['x']?.min ?? 0, plot.scales['x']?.max ?? 0];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  for (const { phase, from, to } of spans) {
    if (from > high || (to ?? high) < low) continue;
    const left = Math.max(plot.valToPos(from, 'x', true), bbox.left);
    const right = Math.min(plot.valToPos(to ?? high, 'x', true), bbox.left + bbox.width);
    const index = phases.findIndex((known) => known.phase === phase);
    ctx.fillStyle = colour(index % 2 === 0 ? '--shade-1' : '--shade-2');
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    const name = phaseShort(phase);
    if (right - left > ctx.measureText(name).width + 8 * ratio) {
      ctx.fillStyle = colour('--text-quiet');
      ctx.fillText(name, left + 4 * ratio, bbox.top + 3 * ratio);
    }
  }
  ctx.restore();
}

/** Colours as they are now: the style sheet decides, by theme. Probed, because canvases do not know light-dark(). */
const known = new Map<string, string>();
let knownFor = -1;

function colour(name: string): string {
  const now = colours.peek();
  if (knownFor !== now) {
    known.clear();
    knownFor = now;
  }
  const found = known.get(name);
  if (found !== undefined) return found;
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  known.set(name, computed);
  return computed;
}
