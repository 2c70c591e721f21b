import { type Arrangement, EMPTY } from "./arrangement.ts";

/** Of what a GPU serves by the time t, amounts of this share are rounding. */
const ROUNDING = 1e-11;

/**
 * Routes the loads of one scenario through an arrangement until no GPU is above the least time t* that any split can reach:
 *
 *   u_g = sum over slots s on g of x_s <= v_g t     sum over slots of e of x_s = w_e
 *
 * While a GPU is above v_g t, its excess moves along a shortest residual path (a slot with x > 0, then another slot of the same expert) to a GPU
 * that has room. A search that finds none has closed a set Q, all of whose load has nowhere else to go: t rises to sum_Q u / v(Q), which bounds
 * every split from below. So t ends at t*, and the last Q proves it: discrete Newton on cuts, as in src/lp/exact.ts, but from any split and any
 * bound, so that after a small change little is left to do.
 */
export class Router {
  /** [E] the slots of each expert. */
  readonly hosts: number[][];
  /** [G] slots whose expert has others, too: the only ones that residual paths take. */
  private readonly shared: number[][];
  /** [G + 1] slots of GPU g are firstSlot[g] to firstSlot[g + 1] - 1. */
  private readonly firstSlot: Int32Array;
  private readonly speed: Float64Array;
  // A search: the GPUs reached, in order; when each was; and by which slot its load leaves for which slot here.
  private readonly queue: Int32Array;
  private readonly reached: Int32Array;
  private readonly leaves: Int32Array;
  private readonly arrives: Int32Array;
  private search = 0;

  constructor(private readonly arrangement: Arrangement) {
    const { machine, slot, gpuOf } = arrangement;
    const { gpus, experts, speed, capacity } = machine;
    this.hosts = Array.from({ length: experts }, () => []);
    for (const [s, e] of slot.entries()) if (e !== EMPTY) this.hosts[e].push(s);
    this.firstSlot = new Int32Array(gpus + 1);
    for (let g = 0; g < gpus; g++) this.firstSlot[g + 1] = this.firstSlot[g] + capacity[g];
    this.shared = Array.from({ length: gpus }, () => []);
    for (let s = 0; s < slot.length; s++) if (this.isShared(s)) this.shared[gpuOf[s]].push(s);
    this.speed = speed;
    [this.queue, this.reached, this.leaves, this.arrives] = Array.from({ length: 4 }, () => new Int32Array(gpus));
  }

  private isShared(s: number): boolean {
    const e = this.arrangement.slot[s];
    return e !== EMPTY && this.hosts[e].length > 1;
  }

  /** Puts an expert, or EMPTY, into a slot. */
  put(s: number, expert: number): void {
    const { arrangement, hosts } = this;
    const old = arrangement.slot[s];
    if (old === expert) return;
    arrangement.put(s, expert);
    const stale = [s];
    if (old !== EMPTY) {
      hosts[old].splice(hosts[old].indexOf(s), 1);
      if (hosts[old].length === 1) stale.push(hosts[old][0]);
    }
    if (expert !== EMPTY) {
      hosts[expert].push(s);
      if (hosts[expert].length === 2) stale.push(hosts[expert][0]);
    }
    for (const one of stale) this.listShared(arrangement.gpuOf[one]);
  }

  private listShared(g: number): void {
    const list = this.shared[g];
    list.length = 0;
    for (let s = this.firstSlot[g]; s < this.firstSlot[g + 1]; s++) if (this.isShared(s)) list.push(s);
  }

  /** Whether the expert has all its slots on GPUs of the set. */
  isInside(expert: number, set: Uint8Array, at: number): boolean {
    const { gpuOf } = this.arrangement;
    const slots = this.hosts[expert];
    for (let i = 0; i < slots.length; i++) if (!set[at + gpuOf[slots[i]]]) return false;
    return true;
  }

  /** A split to begin with: single experts where they are, then each other expert to level its GPUs, twice over. */
  begin(load: Float64Array, loadAt: number, x: Float64Array, xAt: number, u: Float64Array, uAt: number): void {
    const { gpuOf } = this.arrangement;
    const { hosts } = this;
    u.fill(0, uAt, uAt + this.speed.length);
    for (let e = 0; e < hosts.length; e++) {
      if (hosts[e].length !== 1) continue;
      const [s] = hosts[e];
      x[xAt + s] = load[loadAt + e];
      u[uAt + gpuOf[s]] += load[loadAt + e];
    }
    for (let e = 0; e < hosts.length; e++) {
      if (hosts[e].length > 1) this.level(hosts[e], load[loadAt + e], x, xAt, u, uAt);
    }
    for (let e = 0; e < hosts.length; e++) {
      if (hosts[e].length < 2) continue;
      for (const s of hosts[e]) u[uAt + gpuOf[s]] -= x[xAt + s];
      this.level(hosts[e], load[loadAt + e], x, xAt, u, uAt);
    }
  }

  /** Pours an expert's load into its slots so that their GPUs' times are as even as they can be. */
  private level(slots: number[], load: number, x: Float64Array, xAt: number, u: Float64Array, uAt: number): void {
    const { gpuOf } = this.arrangement;
    const { speed } = this;
    // The level is that of the emptiest k GPUs for the largest k that stay below it.
    let inside = slots.length;
    let t = Infinity;
    while (inside > 0) {
      let sum = load;
      let v = 0;
      for (const s of slots) {
        const g = gpuOf[s];
        if (u[uAt + g] >= speed[g] * t) continue;
        sum += u[uAt + g];
        v += speed[g];
      }
      const lower = sum / v;
      let below = 0;
      for (const s of slots) if (u[uAt + gpuOf[s]] < speed[gpuOf[s]] * Math.min(t, lower)) below++;
      t = lower;
      if (below === inside) break;
      inside = below;
    }
    for (const s of slots) {
      const g = gpuOf[s];
      const amount = Math.max(0, speed[g] * t - u[uAt + g]);
      x[xAt + s] = amount;
      u[uAt + g] += amount;
    }
  }

  /**
   * Routes until t bounds all GPUs.
   *
   * @param x  [P] load of each slot, from xAt on.  @param u  [G] of each GPU.  Both change.
   * @param set  [G] out where t rises: 1 on the GPUs that prove it.
   * @param t  A bound that `set` proves; below 1 it is the mean, which all GPUs prove.
   * @returns t*
   */
  route(x: Float64Array, xAt: number, u: Float64Array, uAt: number, set: Uint8Array, setAt: number, t: number): number {
    const { speed } = this;
    const gpus = speed.length;
    if (t <= 1) {
      t = 1;
      set.fill(1, setAt, setAt + gpus);
    }
    for (let g = 0; g < gpus; g++) {
      while (u[uAt + g] > speed[g] * t * (1 + ROUNDING)) {
        const count = this.reach(g, x, xAt, u, uAt, t);
        if (count < 0) {
          this.push(g, x, xAt, u, uAt, t);
          continue;
        }
        const { queue } = this;
        let load = 0;
        let v = 0;
        for (let i = 0; i < count; i++) {
          load += u[uAt + queue[i]];
          v += speed[queue[i]];
        }
        t = Math.max(load / v, t * (1 + ROUNDING));
        set.fill(0, setAt, setAt + gpus);
        for (let i = 0; i < count; i++) set[setAt + queue[i]] = 1;
      }
    }
    return t;
  }

  private end = 0;

  /** Breadth first from GPU g to the nearest with room, which becomes `end`; or else the number of GPUs reached. */
  private reach(g: number, x: Float64Array, xAt: number, u: Float64Array, uAt: number, t: number): number {
    const { queue, reached, leaves, arrives, shared, hosts, speed } = this;
    const { slot, gpuOf } = this.arrangement;
    const search = ++this.search;
    reached[g] = search;
    queue[0] = g;
    let tail = 1;
    for (let head = 0; head < tail; head++) {
      const from = queue[head];
      const list = shared[from];
      const nothing = speed[from] * t * ROUNDING;
      for (let i = 0; i < list.length; i++) {
        const s = list[i];
        if (x[xAt + s] <= nothing) continue;
        const others = hosts[slot[s]];
        for (let j = 0; j < others.length; j++) {
          const b = gpuOf[others[j]];
          if (reached[b] === search) continue;
          reached[b] = search;
          leaves[b] = s;
          arrives[b] = others[j];
          if (u[uAt + b] < speed[b] * t * (1 - ROUNDING)) {
            this.end = b;
            return -1;
          }
          queue[tail++] = b;
        }
      }
    }
    return tail;
  }

  private push(g: number, x: Float64Array, xAt: number, u: Float64Array, uAt: number, t: number): void {
    const { leaves, arrives, speed, end } = this;
    const { gpuOf } = this.arrangement;
    let amount = Math.min(u[uAt + g] - speed[g] * t, speed[end] * t - u[uAt + end]);
    for (let b = end; b !== g; b = gpuOf[leaves[b]]) amount = Math.min(amount, x[xAt + leaves[b]]);
    for (let b = end; b !== g; b = gpuOf[leaves[b]]) {
      x[xAt + leaves[b]] -= amount;
      x[xAt + arrives[b]] += amount;
    }
    u[uAt + g] -= amount;
    u[uAt + end] += amount;
  }
}

/** An arrangement's optima, scenario by scenario, without memory of them. */
export class SoloRouter {
  private readonly router: Router;
  private readonly x: Float64Array;
  private readonly u: Float64Array;
  private readonly set: Uint8Array;

  constructor(arrangement: Arrangement) {
    const { slot, machine } = arrangement;
    this.router = new Router(arrangement);
    this.x = new Float64Array(slot.length);
    this.u = new Float64Array(machine.gpus);
    this.set = new Uint8Array(machine.gpus);
  }

  /** t* of the loads from `at` on, which add up to v(all GPUs). */
  optimum(loads: Float64Array, at: number): number {
    const { router, x, u, set } = this;
    router.begin(loads, at, x, 0, u, 0);
    return router.route(x, 0, u, 0, set, 0, 1);
  }
}
