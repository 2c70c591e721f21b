/** f64 twin of shaders/common/star_mesh.wgsl: factors M = diag(excess) + Laplacian(W) without subtracting, and solves it bordered by v. */
export class StarMesh {
  /** [G] in: s / y. */
  readonly excess: Float64Array;
  /** [G, G] in: the weights W_ij for i > j, the rest unused. Becomes l. */
  readonly mesh: Float64Array;
  /** [G] right-hand side, overwritten by `solveBordered`. */
  readonly h: Float64Array;
  /** [G] out. */
  readonly dy: Float64Array;
  private readonly pivot: Float64Array;
  private readonly q: Float64Array;
  private o2 = 0;

  constructor(private readonly v: Float64Array) {
    const gpus = v.length;
    this.excess = new Float64Array(gpus);
    this.mesh = new Float64Array(gpus * gpus);
    this.h = new Float64Array(gpus);
    this.dy = new Float64Array(gpus);
    this.pivot = new Float64Array(gpus);
    this.q = new Float64Array(gpus);
  }

  factor(): void {
    const { v, excess, mesh, pivot, q } = this;
    const G = v.length;
    for (let k = 0; k < G; k++) {
      pivot[k] = excess[k];
      for (let i = k + 1; i < G; i++) pivot[k] += mesh[i * G + k];
      for (let i = k + 1; i < G; i++) {
        const l = mesh[i * G + k] / pivot[k];
        excess[i] += l * excess[k];
        for (let j = k + 1; j < i; j++) mesh[i * G + j] += l * mesh[j * G + k];
      }
      for (let i = k + 1; i < G; i++) mesh[i * G + k] /= pivot[k];
    }
    this.o2 = 0;
    for (let i = 0; i < G; i++) {
      q[i] = v[i];
      for (let k = 0; k < i; k++) q[i] += mesh[i * G + k] * q[k];
      if (i + 1 < G) this.o2 += (q[i] * q[i]) / pivot[i];
    }
  }

  /** Solves M dy + v dt = h, v.dy = rs. Returns dt. */
  solveBordered(rs: number): number {
    const { v, mesh, pivot, q, h, dy, o2 } = this;
    const G = v.length;
    const last = G - 1;
    let ph = 0;
    for (let i = 0; i < G; i++) {
      for (let k = 0; k < i; k++) h[i] += mesh[i * G + k] * h[k];
      if (i < last) ph += (q[i] * h[i]) / pivot[i];
    }
    const o = q[last];
    const det = pivot[last] * o2 + o * o;
    const dt = (o * h[last] - pivot[last] * (rs - ph)) / det;
    dy[last] = (o2 * h[last] + o * (rs - ph)) / det;
    for (let k = last - 1; k >= 0; k--) {
      dy[k] = (h[k] - dt * q[k]) / pivot[k];
      for (let j = k + 1; j < G; j++) dy[k] += mesh[j * G + k] * dy[j];
    }
    return dt;
  }
}
