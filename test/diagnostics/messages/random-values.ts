import {
  type VssDatatype,
  type VssScalar,
  type VssScalarType,
  type VssValue,
  vssScalarTypes,
} from '#diagnostics/messages/vss-value.ts';

/** A generator of numbers: the same for the same seed. */
export class Random {
  #state: bigint;

  constructor(seed: number) {
    this.#state = (BigInt(seed) << 1n) | 1n;
  }

  next(below: number): number {
    this.#state = BigInt.asUintN(64, this.#state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number((this.#state >> 33n) % BigInt(below));
  }

  bits(count: number): bigint {
    let bits = 0n;
    for (let have = 0; have < count; have += 16) bits = (bits << 16n) | BigInt(this.next(65_536));
    return BigInt.asUintN(count, bits);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.next(items.length)] ?? items[0];
  }
}

/** What a reader cannot be asked to take. */
export interface Excluded {
  /** Avro's C tools print JSON, which has no NaN and no infinities, and end texts at NUL. */
  readonly beyondJson?: boolean;
}

export const vssDatatypes: readonly VssDatatype[] = vssScalarTypes.flatMap((type) => [
  type,
  `${type}[]` as const,
]);

/** A value of a datatype, often one of its edges. */
export function randomValue(random: Random, datatype: VssDatatype, excluded: Excluded = {}): VssValue {
  const isArray = datatype.endsWith('[]');
  const type = (isArray ? datatype.slice(0, -2) : datatype) as VssScalarType;
  if (!isArray) return randomScalar(random, type, excluded);
  const length = random.pick([0, 0, 1, 2, 7, random.next(20) === 0 ? 5000 : 30]);
  return Array.from({ length }, () => randomScalar(random, type, excluded));
}

function randomScalar(random: Random, type: VssScalarType, { beyondJson = false }: Excluded): VssScalar {
  switch (type) {
    case 'boolean':
      return random.next(2) === 1;
    case 'string':
      return randomText(random, beyondJson);
    case 'float': {
      const value = random.pick([0, -0, 12.5, 3.402_823_466_385_288_6e38, 1.4e-45, fromBits(random, 4)]);
      const float = Math.fround(random.next(8) === 0 ? random.pick([NaN, Infinity, -Infinity]) : value);
      return beyondJson && !Number.isFinite(float) ? 0 : float;
    }
    case 'double': {
      const value = random.pick([0, -0, 0.1, Number.MAX_VALUE, Number.MIN_VALUE, fromBits(random, 8)]);
      const double = random.next(8) === 0 ? random.pick([NaN, Infinity, -Infinity]) : value;
      return beyondJson && !Number.isFinite(double) ? 0 : double;
    }
    default:
      return randomInteger(random, type);
  }
}

function fromBits(random: Random, bytes: 4 | 8): number {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(random.bits(64));
  const value = bytes === 4 ? buffer.readFloatLE() : buffer.readDoubleLE();
  // There are many; which one it is means nothing and is kept by nobody.
  return Number.isNaN(value) ? NaN : value;
}

function randomInteger(
  random: Random,
  type: Exclude<VssScalarType, 'boolean' | 'string' | 'float' | 'double'>,
): VssScalar {
  const bits = Number(/\d+/.exec(type)?.[0]);
  const signed = type.startsWith('int');
  const [low, high] = signed
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n];
  const edges = [low, low + 1n, -1n, 0n, 1n, 63n, 64n, high - 1n, high];
  const wide = [
    2n ** 31n - 1n,
    2n ** 31n,
    -(2n ** 31n),
    2n ** 32n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    2n ** 63n,
    -(2n ** 62n),
  ];
  const any = signed ? BigInt.asIntN(bits, random.bits(64)) : BigInt.asUintN(bits, random.bits(64));
  const candidates = [...edges, ...wide].filter((one) => one >= low && one <= high);
  const value = random.next(3) === 0 ? any : (candidates[random.next(candidates.length)] ?? any);
  return bits === 64 ? value : Number(value);
}

function randomText(random: Random, beyondJson: boolean): string {
  const text = random.pick([
    '',
    'ON',
    'ä😀 –',
    '\ud800',
    'a\udc00b',
    '"\\\n\t\u001f\u007f',
    '\u0000a\u0000',
    '\ufffe\uffff\u2028',
    String.fromCharCode(...Array.from({ length: 20 }, () => random.next(65_536))),
    'x'.repeat(random.next(300)),
    random.next(12) === 0 ? 'é'.repeat(512 * 1024) : 'P0420',
  ]);
  return beyondJson ? text.replaceAll('\u0000', '') : text;
}

/** The value as it is after one way through a message. */
export function asCarried(value: VssValue): VssValue {
  if (typeof value === 'string') return value.toWellFormed();
  return Array.isArray(value) ? value.map((item: VssScalar) => asCarried(item) as VssScalar) : value;
}
