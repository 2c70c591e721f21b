import { ArgumentError, PlacementError } from "../common/errors.ts";

/**
 * A replica graph in LPLB's form: `r2o[g][d]` is the rank whose d-th expert is copied into redundant slot d of rank g;
 * each column is a permutation of the ranks.
 */
export type RedundantToOriginal = readonly (readonly number[])[];

function requireSize(argument: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) throw new ArgumentError(argument, `an integer >= ${least}`, value);
}

/** The replica graphs that LPLB ships with (deepseek-ai/LPLB), as r2o. */
export const topologies = {
  /** n ranks in a circle: each holds a copy from its successor. n >= 2. */
  ring(n: number): number[][] {
    requireSize("n", n, 2);
    return Array.from({ length: n }, (_, g) => [(g + 1) % n]);
  },

  /** 8 ranks: two rings of four, and two edges between each pair of opposite corners' neighbours. */
  cube8(): number[][] {
    return Array.from({ length: 8 }, (_, g) => {
      const face = g & 4;
      const corner = g & 3;
      return [face + ((corner + 3) % 4), face === 0 ? 4 + ((corner + 2) % 4) : corner];
    });
  },

  /** 16 ranks: four rings of four, and a ring through the four faces. */
  hypercube16(): number[][] {
    return Array.from({ length: 16 }, (_, g) => [(g & 12) + (((g & 3) + 3) % 4), (g + 12) % 16]);
  },

  /** m x n ranks, row-major: each holds a copy from the rank below it and from the one to its right. m, n >= 2. */
  torus2d(m: number, n: number): number[][] {
    requireSize("m", m, 2);
    requireSize("n", n, 2);
    return Array.from({ length: m * n }, (_, g) => {
      const row = Math.floor(g / n);
      const column = g % n;
      return [((row + 1) % m) * n + column, row * n + ((column + 1) % n)];
    });
  },

  /** The edges [original, replica] of an r2o for the edge form: rank by rank, slot by slot. */
  edges(r2o: RedundantToOriginal): [number, number][] {
    requireRedundantToOriginal(r2o);
    return r2o.flatMap((originals, gpu) => originals.map((original): [number, number] => [original, gpu]));
  },
};

/** Throws unless every column of r2o is a permutation of the ranks without a fixed point. */
export function requireRedundantToOriginal(r2o: RedundantToOriginal): void {
  if (!Array.isArray(r2o) || r2o.length === 0) throw new PlacementError("r2o", "a row per rank", r2o);
  const ranks = r2o.length;
  const columns = Array.isArray(r2o[0]) ? r2o[0].length : 0;
  if (columns === 0) throw new PlacementError("r2o[0]", "an array of one or more originals", r2o[0]);
  for (const [g, row] of r2o.entries()) {
    if (!Array.isArray(row) || row.length !== columns) {
      throw new PlacementError(`r2o[${g}]`, `an array of ${columns} originals as in r2o[0]`, row);
    }
    for (const [d, original] of row.entries()) {
      if (!Number.isInteger(original) || original < 0 || original >= ranks || original === g) {
        throw new PlacementError(`r2o[${g}][${d}]`, `another rank in 0..${ranks - 1}`, original);
      }
    }
  }
  for (let d = 0; d < columns; d++) {
    const holder = new Map<number, number>();
    for (const [g, row] of r2o.entries()) {
      const other = holder.get(row[d]);
      if (other !== undefined) {
        throw new PlacementError(
          `r2o[${g}][${d}]`,
          `an original that r2o[${other}][${d}] does not copy already`,
          row[d],
        );
      }
      holder.set(row[d], g);
    }
  }
}
