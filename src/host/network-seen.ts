import { networkInterfaces } from 'node:os';

/**
 * What this machine has of a network, in one line for people: when nobody answers, whether that is this machine's own
 * doing. Addresses of loopback and those that only reach the own link (`fe80::`) are no network.
 */
export function networkSeen(): string {
  const found = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)
      .map(({ cidr, address }) => `${cidr ?? address} on ${name}`),
  );
  if (found.length === 0) return 'this machine has no network address';
  return `this machine's addresses: ${found.join(', ')}`;
}
