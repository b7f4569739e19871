/** Kinds of typed arrays that a column can be made of. */
type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/**
 * A typed array that grows in place: it reserves addresses for the most it may ever hold and takes memory as it fills,
 * so that growing copies nothing and leaves no garbage behind. The memory is shared, for worker threads to read.
 */
export class Column<T extends Numbers> {
  readonly #memory: SharedArrayBuffer;
  readonly #view: (memory: SharedArrayBuffer, length: number) => T;
  readonly #width: number;
  /** Room in elements. A view of fixed length, because V8 reads length-tracking ones more slowly. */
  #array: T;
  length = 0;

  /** `most` is the largest number of elements. */
  constructor(view: (memory: SharedArrayBuffer, length: number) => T, width: number, most: number) {
    this.#memory = new SharedArrayBuffer(0, { maxByteLength: most * width });
    this.#view = view;
    this.#width = width;
    this.#array = view(this.#memory, 0);
  }

  get array(): T {
    return this.#array;
  }

  /** The array, with room for `extra` elements more. Fails with RangeError beyond the most. */
  reserve(extra: number): T {
    const needed = this.length + extra;
    if (needed > this.#array.length) {
      const most = this.#memory.maxByteLength / this.#width;
      const generous = Math.max(1024, Math.min(this.#array.length * 2, this.#array.length + 1024 * 1024));
      this.#memory.grow(Math.max(needed, Math.min(most, generous)) * this.#width);
      this.#array = this.#view(this.#memory, this.#memory.byteLength / this.#width);
    }
    return this.#array;
  }

  push(value: number): void {
    this.reserve(1)[this.length++] = value;
  }

  /** What was put in so far; the same memory. */
  filled(): T {
    return this.#view(this.#memory, this.length);
  }
}

export const column = {
  u8: (most: number): Column<Uint8Array> =>
    new Column((memory, length) => new Uint8Array(memory, 0, length), 1, most),
  u16: (most: number): Column<Uint16Array> =>
    new Column((memory, length) => new Uint16Array(memory, 0, length), 2, most),
  u32: (most: number): Column<Uint32Array> =>
    new Column((memory, length) => new Uint32Array(memory, 0, length), 4, most),
  f64: (most: number): Column<Float64Array> =>
    new Column((memory, length) => new Float64Array(memory, 0, length), 8, most),
} as const;
