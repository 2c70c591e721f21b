import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";
import { StarMesh } from "./star_mesh.ts";

/** The shader's constants; a test reads them there and compares. */
export const constants = {
  MAX_ITERATIONS: 16,
  TOLERANCE: 1e-4,
  LOAD_FLOOR: 1e-6,
  PRIMAL_FLOOR: 1e-9,
  DUAL_FLOOR: 1e-12,
  START_SLACK: 0.1,
  LEAST_FRACTION: 0.9,
} as const;
const { MAX_ITERATIONS, TOLERANCE, LOAD_FLOOR, PRIMAL_FLOOR, DUAL_FLOOR, START_SLACK, LEAST_FRACTION } = constants;

/**
 * f64 twin of shaders/common/interior_point.wgsl and cut_sweep.wgsl: Mehrotra's predictor-corrector on one LP in replica form. Same
 * names, same loop order; the shader explains the mathematics. Experts with one replica or no tokens have w = 0 and take no part.
 */
export class InteriorPoint {
  /** [R] the best x seen, in tokens. */
  readonly bestX: Float64Array;
  /** [G] the best cut. */
  readonly member: Uint8Array;
  best = Infinity;
  bound = -Infinity;

  private readonly v: Float64Array;
  private readonly b: Float64Array;
  private readonly tokens: Float64Array;
  private readonly w: Float64Array;
  private readonly x: Float64Array;
  private readonly z: Float64Array;
  private readonly d: Float64Array;
  private readonly rho: Float64Array;
  private readonly dx: Float64Array;
  private readonly dz: Float64Array;
  private readonly nu: Float64Array;
  private readonly dnu: Float64Array;
  private readonly sumD: Float64Array;
  private readonly y: Float64Array;
  private readonly s: Float64Array;
  private readonly ds: Float64Array;
  private readonly rc: Float64Array;
  private readonly carried: Float64Array;
  private readonly star: StarMesh;
  private scale = 1;
  private t = 0;
  private dt = 0;
  private variables = 0;
  private alphaP = 1;
  private alphaD = 1;

  constructor(private readonly topology: Topology) {
    const { gpus, experts, replicaGpu, speed } = topology;
    const perGpu = () => new Float64Array(gpus);
    const perExpert = () => new Float64Array(experts);
    const perReplica = () => new Float64Array(replicaGpu.length);
    const meanSpeed = speed.reduce((a, b) => a + b) / gpus;
    this.v = speed.map((s) => s / meanSpeed);
    this.star = new StarMesh(this.v);
    this.member = new Uint8Array(gpus);
    [this.b, this.y, this.s, this.ds, this.rc, this.carried] = Array.from({ length: 6 }, perGpu);
    [this.tokens, this.w, this.nu, this.dnu, this.sumD] = Array.from({ length: 5 }, perExpert);
    [this.bestX, this.x, this.z, this.d, this.rho, this.dx, this.dz] = Array.from({ length: 7 }, perReplica);
  }

  /** Solves LP `lp`; returns the number of iterations. */
  solve(loads: Loads, lp: number): number {
    this.startPoint(loads, lp);
    for (let iteration = 0; ; iteration++) {
      this.keepBest(this.carry());
      this.sweepCuts();
      if ((this.best - this.bound) / Math.max(this.bound, LOAD_FLOOR) <= TOLERANCE || iteration === MAX_ITERATIONS) {
        return iteration;
      }
      const mu = this.quotients();
      let rs = 1;
      for (let g = 0; g < this.v.length; g++) rs -= this.v[g] * this.y[g];
      this.factor();
      this.newtonDirection(0, 0, rs);
      const ratio = this.affineMu() / mu;
      this.newtonDirection(ratio ** 3 * mu, 1, rs);
      this.advance(Math.max(LEAST_FRACTION, 1 - mu));
    }
  }

  /** Calls `visit` with each expert that takes part and its replicas first..end - 1. */
  private active(visit: (e: number, first: number, end: number) => void): void {
    const { experts, replicaStart } = this.topology;
    for (let e = 0; e < experts; e++) if (this.w[e] > 0) visit(e, replicaStart[e], replicaStart[e + 1]);
  }

  private startPoint({ expertLoad, baseLoad }: Loads, lp: number): void {
    const { b, v, w, x, y, z, s, tokens, carried, star } = this;
    const { gpus, experts, replicaStart, replicaGpu } = this.topology;
    let total = 0;
    for (let g = 0; g < gpus; g++) total += b[g] = baseLoad ? baseLoad[lp * gpus + g] : 0;
    for (let e = 0; e < experts; e++) {
      total += tokens[e] = expertLoad[lp * experts + e];
      const first = replicaStart[e];
      const single = replicaStart[e + 1] - first === 1;
      if (single) b[replicaGpu[first]] += tokens[e];
      for (let r = first; r < replicaStart[e + 1]; r++) this.bestX[r] = single ? tokens[e] : 0;
    }
    let shift = 0;
    for (let g = 0; g < gpus; g++) shift = Math.max(shift, -b[g] / v[g]);
    total += shift * gpus;
    this.scale = total > 0 ? gpus / total : 1;

    let hottest = 0;
    for (let g = 0; g < gpus; g++) {
      b[g] = (b[g] + shift * v[g]) * this.scale;
      y[g] = 1 / gpus;
      this.ds[g] = 0;
      star.dy[g] = 0;
      if (b[g] / v[g] > b[hottest] / v[hottest]) hottest = g;
    }
    this.member.fill(0)[hottest] = 1;
    this.bound = b[hottest] / v[hottest];

    this.variables = gpus;
    this.nu.fill(0);
    this.dx.fill(0);
    this.dz.fill(0);
    for (let e = 0; e < experts; e++) {
      const count = replicaStart[e + 1] - replicaStart[e];
      w[e] = count > 1 && tokens[e] > 0 ? Math.max(tokens[e] * this.scale, LOAD_FLOOR) : 0;
      if (w[e] > 0) this.variables += count;
      x.fill(w[e] / count, replicaStart[e], replicaStart[e + 1]);
      z.fill(1 / gpus, replicaStart[e], replicaStart[e + 1]);
    }
    this.best = Infinity;
    this.t = this.carry() + START_SLACK;
    for (let g = 0; g < gpus; g++) s[g] = v[g] * this.t - carried[g];
  }

  private carry(): number {
    const { carried, b, v, x } = this;
    const { replicaGpu } = this.topology;
    carried.set(b);
    this.active((_, first, end) => {
      for (let r = first; r < end; r++) carried[replicaGpu[r]] += x[r];
    });
    return carried.reduce((top, load, g) => Math.max(top, load / v[g]), -Infinity);
  }

  private keepBest(top: number): void {
    if (!(top < this.best)) return;
    this.best = top;
    this.active((e, first, end) => {
      for (let r = first; r < end; r++) this.bestX[r] = this.x[r] * (this.tokens[e] / this.w[e]);
    });
  }

  private sweepCuts(): void {
    const { y, v, b, tokens, scale } = this;
    const { gpus, replicaGpu } = this.topology;
    const order = [...y.keys()].sort((g, k) => y[k] - y[g] || g - k);
    const rank = new Int32Array(gpus);
    order.forEach((g, k) => {
      rank[g] = k;
    });
    const weightAt = Float64Array.from(order, (g) => b[g]);
    this.active((e, first, end) => {
      let last = 0;
      for (let r = first; r < end; r++) last = Math.max(last, rank[replicaGpu[r]]);
      weightAt[last] += tokens[e] * scale;
    });
    let inside = 0;
    let speedInside = 0;
    let size = 0;
    for (let k = 0; k < gpus; k++) {
      inside += weightAt[k];
      speedInside += v[order[k]];
      if (inside > this.bound * speedInside) {
        this.bound = inside / speedInside;
        size = k + 1;
      }
    }
    if (size > 0) for (let g = 0; g < gpus; g++) this.member[g] = rank[g] < size ? 1 : 0;
  }

  private quotients(): number {
    const { s, y, x, z, d, sumD } = this;
    let mu = 0;
    for (let g = 0; g < s.length; g++) mu += s[g] * y[g];
    this.active((e, first, end) => {
      sumD[e] = 0;
      for (let r = first; r < end; r++) {
        mu += x[r] * z[r];
        d[r] = x[r] / z[r];
        sumD[e] += d[r];
      }
    });
    return mu / this.variables;
  }

  private factor(): void {
    const { star, s, y, d, sumD } = this;
    const { gpus, replicaGpu } = this.topology;
    star.mesh.fill(0);
    for (let g = 0; g < gpus; g++) star.excess[g] = s[g] / y[g];
    this.active((e, first, end) => {
      for (let r = first + 1; r < end; r++) {
        for (let k = first; k < r; k++) {
          const [i, j] = [Math.max(replicaGpu[r], replicaGpu[k]), Math.min(replicaGpu[r], replicaGpu[k])];
          star.mesh[i * gpus + j] += (d[r] * d[k]) / sumD[e];
        }
      }
    });
    star.factor();
  }

  private newtonDirection(aim: number, second: number, rs: number): void {
    const { b, v, w, x, y, z, s, d, rho, dx, dz, ds, nu, dnu, sumD, rc, carried, star } = this;
    const { replicaGpu } = this.topology;
    const { h, dy } = star;
    for (let g = 0; g < b.length; g++) {
      rc[g] = aim - s[g] * y[g] - second * ds[g] * dy[g];
      const rp = v[g] * this.t - carried[g] - s[g];
      h[g] = rc[g] / y[g] - rp;
    }
    this.active((e, first, end) => {
      let unserved = w[e];
      for (let r = first; r < end; r++) {
        const rd = y[replicaGpu[r]] - nu[e] - z[r];
        rho[r] = (aim - second * dx[r] * dz[r]) / z[r] - x[r] - d[r] * rd;
        unserved -= x[r] + rho[r];
      }
      dnu[e] = unserved / sumD[e];
      for (let r = first; r < end; r++) h[replicaGpu[r]] += rho[r] + d[r] * dnu[e];
    });

    this.dt = star.solveBordered(rs);

    const stepToZero = (value: number, delta: number, soFar: number) =>
      delta < 0 ? Math.min(soFar, -value / delta) : soFar;
    this.alphaP = 1;
    this.alphaD = 1;
    for (let g = 0; g < b.length; g++) {
      ds[g] = (rc[g] - s[g] * dy[g]) / y[g];
      this.alphaP = stepToZero(s[g], ds[g], this.alphaP);
      this.alphaD = stepToZero(y[g], dy[g], this.alphaD);
    }
    this.active((e, first, end) => {
      let weighted = 0;
      for (let r = first; r < end; r++) weighted += d[r] * dy[replicaGpu[r]];
      dnu[e] += weighted / sumD[e];
      for (let r = first; r < end; r++) {
        const g = replicaGpu[r];
        const step = dy[g] - dnu[e];
        dz[r] = step + (y[g] - nu[e] - z[r]);
        dx[r] = rho[r] - d[r] * step;
        this.alphaP = stepToZero(x[r], dx[r], this.alphaP);
        this.alphaD = stepToZero(z[r], dz[r], this.alphaD);
      }
    });
  }

  private affineMu(): number {
    const { s, ds, y, x, dx, z, dz, alphaP, alphaD } = this;
    let mu = 0;
    for (let g = 0; g < s.length; g++) mu += (s[g] + alphaP * ds[g]) * (y[g] + alphaD * this.star.dy[g]);
    this.active((_, first, end) => {
      for (let r = first; r < end; r++) mu += (x[r] + alphaP * dx[r]) * (z[r] + alphaD * dz[r]);
    });
    return mu / this.variables;
  }

  private advance(fraction: number): void {
    const { w, x, dx, z, dz, s, ds, y, nu, dnu, star } = this;
    const stepP = fraction * this.alphaP;
    const stepD = fraction * this.alphaD;
    this.t += stepP * this.dt;
    for (let g = 0; g < s.length; g++) {
      s[g] = Math.max(s[g] + stepP * ds[g], PRIMAL_FLOOR);
      y[g] = Math.max(y[g] + stepD * star.dy[g], DUAL_FLOOR);
    }
    this.active((e, first, end) => {
      nu[e] += stepD * dnu[e];
      let sum = 0;
      for (let r = first; r < end; r++) {
        x[r] = Math.max(x[r] + stepP * dx[r], PRIMAL_FLOOR);
        z[r] = Math.max(z[r] + stepD * dz[r], DUAL_FLOOR);
        sum += x[r];
      }
      for (let r = first; r < end; r++) x[r] *= w[e] / sum;
    });
  }
}
