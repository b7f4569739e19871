import type { HealthProbe } from '#gen/ota/console/v1/types_pb.ts';
import { Icon } from './icons.tsx';

/** What judges the first boot. */
export function Probes({ probes }: { readonly probes: readonly HealthProbe[] }) {
  const passing = probes.filter(({ passes }) => passes).length;
  return (
    <section aria-labelledby="probes-title">
      <h3 id="probes-title">
        Health of the first boot <span class="tag">{`${passing} of ${probes.length} hold`}</span>
      </h3>
      <ul class="probes">
        {probes.map((probe) => (
          <ProbeLine key={probe.name} probe={probe} />
        ))}
      </ul>
    </section>
  );
}

export function ProbeLine({ probe }: { readonly probe: HealthProbe }) {
  const { name, kind, passes, output } = probe;
  return (
    <li class={passes ? 'probe probe-good' : 'probe probe-bad'}>
      <Icon name={passes ? 'ok' : 'failed'} size={14} />
      <div>
        <b>{name}</b> <span class="tag">{kind}</span> {passes ? 'holds' : 'does not hold'}
        {output !== '' && <code class="output">{output}</code>}
      </div>
    </li>
  );
}
