/**
 * Twin of shaders/lp/newton_system.wgsl, in f64: what the parts of the interior point share. The system is M dy + v dt = h, v.dy = 1 - v.y, with
 *
 *   M = diag(s / y) + sum_e (diag(d) - d d' / D_e),   d_r = x_r / z_r,   D_e = sum_{r of e} d_r
 */
import type { Topology } from "../topology.ts";

/** The part of a topology that the system sees. */
export interface NewtonShape {
  readonly gpus: number;
  /** GPUs of each expert's replicas; only experts with several. */
  readonly experts: readonly (readonly number[])[];
  /** [G] of mean 1. */
  readonly speed: readonly number[];
  /** [G] the later GPUs that each GPU's column of the factor reaches, ascending: the fill pattern. */
  readonly column: readonly (readonly number[])[];
}

/** What M is made of. */
export interface NewtonMatrix {
  /** [G] s / y. */
  readonly theta: readonly number[];
  /** Per expert and replica. */
  readonly d: readonly (readonly number[])[];
  /** 1 / D_e */
  readonly invD: readonly number[];
}

/** Experts with a choice on all GPUs, eliminated in the order of their labels. */
export function newtonShape({ gpus, experts, replicaStart, replicaGpu, speed }: Topology): NewtonShape {
  const choosers: number[][] = [];
  for (let e = 0; e < experts; e++) {
    const replicas = [...replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])];
    if (replicas.length > 1) choosers.push(replicas);
  }
  const mean = speed.reduce((a, b) => a + b) / gpus;
  return { gpus, experts: choosers, speed: Array.from(speed, (v) => v / mean), column: fillOf(gpus, choosers) };
}

function fillOf(gpus: number, experts: readonly (readonly number[])[]): number[][] {
  const reach = Array.from({ length: gpus }, () => new Set<number>());
  for (const replicas of experts) for (const g of replicas) for (const h of replicas) if (h > g) reach[g].add(h);
  // A star becomes a mesh.
  for (const later of reach) for (const g of later) for (const h of later) if (h > g) reach[g].add(h);
  return reach.map((later) => [...later].sort((g, h) => g - h));
}
