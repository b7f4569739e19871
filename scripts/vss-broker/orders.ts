import { create, fromJson } from '@bufbuild/protobuf';
import { valueToWire } from '../../src/api/kuksa/wire-values.ts';
import { type VssValue, vssDatatype } from '../../src/diagnostics/messages/vss-value.ts';
import { DatapointSchema, ValueSchema } from '../../src/gen/kuksa/val/v2/types_pb.ts';
import type { Broker } from './broker.ts';

/**
 * What a broker can be told by lines of JSON on its standard input; each is answered with one line of JSON.
 *
 *   {"do":"set","path":P,"value":V}            a value, as its provider would publish it; null clears it
 *   {"do":"lie","path":P,"datatype":D,"value":V}   subscribers are told this, whatever the catalog says
 *   {"do":"time","ms":N}                       the broker's clock is N milliseconds ahead
 *   {"do":"burst","path":P,"from":N,"count":N} values N, N+1, ... faster than anybody can read
 *   {"do":"hide","paths":[...]}                no subscriber is told of these
 *   {"do":"forget","paths":[...]}              in the catalog, but not to be subscribed to
 *   {"do":"deny","paths":[...]}                in the catalog; subscriptions to them end with PERMISSION_DENIED
 *   {"do":"fail","rpc":R,"code":C}             calls of R (`*`: all) end with C; HANG: not at all; "": no more
 *   {"do":"old","paths":true|false}            metadata without paths
 *   {"do":"token","token":T}                   calls need this token; subscriptions end with OK
 *   {"do":"end"}                               subscriptions end with OK
 *   {"do":"stop"} {"do":"listen"}              connections break; connections are taken again
 *   {"do":"restart"}                           both, with other ids and without values
 *   {"do":"get","path":P}                      what the broker has
 *   {"do":"calls"}                             how often each RPC was called
 */
export async function obey(broker: Broker, line: string): Promise<object> {
  const order = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const { moods, table } = broker;
  const text = (key: string): string => {
    const value = order[key];
    if (typeof value !== 'string') throw new Error(`"${key}" is to be a text`);
    return value;
  };
  const number = (key: string): number => {
    const value = order[key];
    if (typeof value !== 'number') throw new Error(`"${key}" is to be a number`);
    return value;
  };
  switch (order['do']) {
    case 'set':
      table.set(text('path'), exact(order['value']));
      return {};
    case 'lie': {
      const datatype = vssDatatype(text('datatype'));
      if (datatype === undefined) throw new Error('"datatype" is to be one of VSS');
      const value = order['value'] === 'NaN' ? Number.NaN : (exact(order['value']) as VssValue);
      const now = fromJson(DatapointSchema, { timestamp: new Date().toISOString() });
      const lie = create(DatapointSchema, {
        ...(now.timestamp === undefined ? {} : { timestamp: now.timestamp }),
        value: create(ValueSchema, valueToWire(datatype, value)),
      });
      moods.lies.set(text('path'), lie);
      const entry = table.byPath(text('path'));
      if (entry !== undefined) table.publish([[entry, entry.point.value]]);
      moods.lies.delete(text('path'));
      return {};
    }
    case 'time':
      table.clockShiftMs = number('ms');
      return {};
    case 'burst':
      for (let at = 0; at < number('count'); at++) table.set(text('path'), number('from') + at);
      return {};
    case 'hide':
      return fill(moods.hidden, order['paths']);
    case 'forget':
      return fill(moods.forgotten, order['paths']);
    case 'deny':
      return fill(moods.denied, order['paths']);
    case 'fail':
      if (text('code') === '') moods.failing.delete(text('rpc'));
      else moods.failing.set(text('rpc'), text('code'));
      return {};
    case 'old':
      moods.withoutPaths = order['paths'] === true;
      return {};
    case 'token':
      moods.token = text('token');
      broker.endSubscriptions();
      return {};
    case 'end':
      broker.endSubscriptions();
      return {};
    case 'stop':
      broker.stop();
      return {};
    case 'listen':
      await broker.listen();
      return {};
    case 'restart':
      await broker.restart();
      return {};
    case 'get': {
      const entry = table.byPath(text('path'));
      const typed = entry?.point.value?.typedValue;
      return { id: entry?.id, case: typed?.case, value: typed?.value };
    }
    case 'calls':
      return Object.fromEntries(moods.calls);
    default:
      throw new Error(`"do" is none of the orders: ${JSON.stringify(order['do'])}`);
  }
}

/** JSON has no 64 bits: `"123n"` stands for them. */
function exact(value: unknown): VssValue | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return value.map((one) => exact(one) as string);
  if (typeof value === 'string' && /^-?\d+n$/.test(value)) return BigInt(value.slice(0, -1));
  return value as VssValue;
}

function fill(set: Set<string>, paths: unknown): object {
  set.clear();
  if (!Array.isArray(paths)) throw new Error('"paths" is to be a list');
  for (const path of paths) set.add(String(path));
  return {};
}
