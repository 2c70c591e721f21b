/**
 * An order of elimination for many lanes: sparse, and of few stages. A *task* is what one lane eliminates on its own, a connected part of the
 * elimination forest of at most TASK_PIVOTS nodes; the tasks of a *stage* do not depend on each other, so that lanes meet only between
 * stages. Nodes of least degree go first, as in minimum degree, but so do all of degree 2 and less, which cause no fill beyond what they
 * take away: leaves are raked off and chains compressed at once, so a tree or a ring of n GPUs takes log n stages, not n / 2.
 */

export interface Elimination {
  /** Nodes by place: stage by stage, task by task. */
  readonly order: readonly number[];
  /** Per place, the later places that its column of the factor reaches, ascending: the fill pattern. */
  readonly column: readonly (readonly number[])[];
  /** The first place of each task; at the end the number of places. */
  readonly tasks: readonly number[];
  /** The first task of each stage; at the end the number of tasks. */
  readonly stages: readonly number[];
}

/** A lane does this many pivots while others wait at the barrier: each is about as long as a barrier is on a GPU. */
const TASK_PIVOTS = 4;
const FREE_DEGREE = 2;

/** Nodes 0 to `nodes` - 1; those of a clique are neighbours of each other. */
export function planElimination(
  nodes: number,
  cliques: readonly (readonly number[])[],
  taskPivots = TASK_PIVOTS,
): Elimination {
  const neighbours = Array.from({ length: nodes }, () => new Set<number>());
  for (const clique of cliques) for (const g of clique) for (const h of clique) if (g !== h) neighbours[g].add(h);

  const left = new Set(neighbours.keys());
  const stages: number[][][] = [];
  while (left.size > 0) stages.push(planStage(left, neighbours, taskPivots));

  const order = stages.flat(2);
  const place = new Array<number>(nodes);
  for (const [k, g] of order.entries()) place[g] = k;
  const column = order.map((g) => [...neighbours[g]].map((h) => place[h]).sort((a, b) => a - b));
  return {
    order,
    column,
    tasks: starts(stages.flat().map((task) => task.length)),
    stages: starts(stages.map((tasks) => tasks.length)),
  };
}

/** Where each of some lists begins when they stand one after the other, and the end of the last. */
export function starts(lengths: readonly number[]): number[] {
  const at = [0];
  for (const length of lengths) at.push(at[at.length - 1] + length);
  return at;
}

/** Eliminates the tasks of one stage from `left`. Of a node eliminated, `neighbours` are the later ones that it reaches. */
function planStage(left: Set<number>, neighbours: Set<number>[], taskPivots: number): number[][] {
  const tasks = new Set<number[]>();
  const below = new Map<number, Set<number[]>>(); // the tasks of this stage that a node left depends on
  const sizeWith = (g: number) => [...(below.get(g) ?? [])].reduce((sum, task) => sum + task.length, 1);
  for (;;) {
    const least = [...left].reduce((degree, g) => Math.min(degree, neighbours[g].size), Infinity);
    const most = Math.max(FREE_DEGREE, least);
    let next = -1;
    for (const g of left) {
      if (neighbours[g].size > most || sizeWith(g) > taskPivots) continue;
      if (next < 0 || neighbours[g].size < neighbours[next].size) next = g;
    }
    if (next < 0) return [...tasks];

    const task = [...[...(below.get(next) ?? [])].flat(), next]; // tasks that meet become one
    for (const part of below.get(next) ?? []) tasks.delete(part);
    tasks.add(task);
    left.delete(next);
    for (const g of neighbours[next]) {
      neighbours[g].delete(next);
      for (const h of neighbours[next]) if (h !== g) neighbours[g].add(h); // a star becomes a mesh
      const kept = [...(below.get(g) ?? [])].filter((part) => tasks.has(part));
      below.set(g, new Set([...kept, task]));
    }
  }
}
