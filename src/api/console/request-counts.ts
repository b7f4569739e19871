/** Counts ended requests by method and by how they ended. Both are closed sets: nothing here grows. */
export class RequestCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  add(method: string, result: string): void {
    const results = this.#counts.get(method) ?? new Map<string, number>();
    this.#counts.set(method, results);
    results.set(result, (results.get(result) ?? 0) + 1);
  }

  *all(): Generator<{ readonly method: string; readonly result: string; readonly count: number }> {
    for (const [method, results] of this.#counts) {
      for (const [result, count] of results) yield { method, result, count };
    }
  }
}
