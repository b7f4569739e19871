import { drawn, spans, transferOf, wholeVehicle } from '#dashboard/page/model/history.ts';
import { bytesText, rateText } from '#dashboard/page/words/units.ts';
import { Plot } from './plot.tsx';

/** Rate and bytes over time, as this page saw them. */
export function TransferPlots({ ecuId }: { readonly ecuId: string }) {
  void drawn.value;
  const { times, rates, placed, wire } = transferOf(ecuId);
  const shades = ecuId === wholeVehicle ? [] : spans.filter((span) => span.ecuId === ecuId);
  const whose = ecuId === wholeVehicle ? 'of the vehicle' : `of ${ecuId}`;
  if (times.length < 2) return null;
  return (
    <div class="plots">
      <Plot
        title="Rate"
        label={`Transfer rate ${whose} over time, now ${rateText(rates.at(-1) ?? 0)}`}
        times={times}
        lines={[{ name: 'placed', values: rates, colour: '--plot-1', fill: true }]}
        text={rateText}
        spans={shades}
      />
      <Plot
        title="Bytes"
        label={`Bytes ${whose} over time: ${bytesText(placed.at(-1) ?? 0)} placed, ${bytesText(wire.at(-1) ?? 0)} over the network`}
        times={times}
        lines={[
          { name: 'placed', values: placed, colour: '--plot-1', fill: false },
          { name: 'network', values: wire, colour: '--plot-2', fill: false },
        ]}
        text={bytesText}
        spans={shades}
      />
    </div>
  );
}
