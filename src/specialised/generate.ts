/**
 * A topology as code: `solve_lp` of shaders/specialised.wgsl. Every loop over GPUs, experts, replicas and the fill of the elimination has
 * run here. The solver is the text of src/reference/specialised.ts, which with numbers is the f64 twin; this file adds what goes in
 * and comes out.
 */
import { labelLayout } from "../kernels/specialised.ts";
import { SLOWEST_PACE } from "../kernels/topology_table.ts";
import { solveLp } from "../reference/specialised.ts";
import type { CanonicalForm } from "./canonical.ts";
import { wgslField } from "./wgsl_field.ts";

export interface Specialisation {
  readonly wgsl: string;
  /** What compiling it costs. */
  readonly statements: number;
  readonly equalSpeeds: boolean;
}

/** Words of a proof before its set: status, iterations, moves. */
const HEAD = 3;

/** @throws {TooLong} It takes more than `most` statements. */
export function specialise(
  form: Pick<CanonicalForm, "shape" | "slots" | "proofWords">,
  most = Infinity,
): Specialisation {
  const { shape, slots, proofWords } = form;
  const { gpus, speed } = shape;
  const equalSpeeds = speed.every((v) => v === speed[0]);
  const at = labelLayout(form);
  const lines: string[] = [];
  const c = wgslField(lines, most);
  const named = (expression: string) => {
    const name = `v${lines.length}`;
    lines.push(`let ${name} = ${expression};`);
    return name;
  };
  /** `count` consecutive labels. */
  const labels = (first: number, count: number) => {
    const quads = new Map<number, string>();
    return Array.from({ length: count }, (_, i) => {
      const quad = (first + i) >> 2;
      if (!quads.has(quad)) quads.set(quad, named(`labels[${quad}]`));
      return `${quads.get(quad)}.${"xyzw"[(first + i) & 3]}`;
    });
  };

  const gpu = labels(at.gpu, gpus);
  const single = labels(at.singleStart, gpus + 1);
  const alone = gpu.map((label, g) => named(`serve_singles(p, ${label}, ${single[g]}, ${single[g + 1]})`));
  const row = named("p * params.experts");
  const column = labels(at.expert, slots.flat().length).values();
  const loads = slots.map((members) => members.map(() => named(`load[${row} + ${column.next().value}]`)));
  const tokens = loads.map((members) => c.sum(members));

  let firstInside: string | undefined;
  const answer = solveLp(c, shape, alone, tokens, (inside, member) => {
    if (!equalSpeeds) {
      firstInside ??= inside;
      for (const [g, m] of member.entries()) lines.push(`member[${g}] = ${m} != 0;`);
      lines.push(`raise_caps(${inside});`);
      // With less room than overflows: no GPU can hold more than 2^31 - 1 tokens and its negative base load.
      return alone.map((load, g) => named(`min(cap[${g}], ${SLOWEST_PACE} + min(0, ${load}))`));
    }
    const size = c.sum(member);
    const whole = named(`${inside} / ${size}`);
    // Division truncates: this is the ceiling for either sign.
    const cap = c.sum([whole, c.select(c.less(c.mul(whole, size), inside), c.whole(1), c.whole(0))]);
    return alone.map(() => cap);
  });

  const quotas = named("p * params.slots");
  const slot = labels(
    at.slot,
    slots.flat(2).reduce((a, b) => a + b, 0),
  ).values();
  for (const [e, members] of slots.entries()) {
    let left = answer.kept[e];
    for (const [m, counts] of members.entries()) {
      // Experts that were merged fill the replicas one after the other.
      let unserved = loads[e][m];
      const served = left.map((amount, r) => {
        if (m === members.length - 1) return amount;
        const taken = c.min(unserved, amount);
        if (r < left.length - 1) unserved = c.sub(unserved, taken);
        return taken;
      });
      if (m < members.length - 1) left = left.map((amount, r) => c.sub(amount, served[r]));
      for (const [r, count] of counts.entries()) {
        for (let i = 0; i < count; i++) {
          const amount = count === 1 ? served[r] : `share(${served[r]}, ${i}u, ${count}u)`;
          lines.push(`quota[${quotas} + ${slot.next().value}] = ${amount};`);
        }
      }
    }
  }
  const first = named(`p * ${proofWords}u`);
  // A cut of negative load proves a time before 0, which common/whole_time.wgsl does not tell: the host finishes.
  const closed = firstInside === undefined ? answer.closed : c.and(answer.closed, c.less(c.whole(-1), firstInside));
  lines.push(`proof[${first}] = select(GAP, OPTIMAL, ${closed});`);
  lines.push(`proof[${first} + 1u] = u32(${answer.iterations});`);
  lines.push(`proof[${first} + 2u] = u32(${answer.moves});`);
  const inProof = labels(at.gpu, gpus);
  const words = proofWords - HEAD;
  for (let word = 0; word < words; word++) {
    const bits = answer.member.map((m, g) => `(u32(${m}) << (${inProof[g]} & 31u))`);
    const chosen = words === 1 ? bits : bits.map((bit, g) => `select(0u, ${bit}, (${inProof[g]} >> 5u) == ${word}u)`);
    lines.push(`proof[${first} + ${HEAD + word}u] = ${chosen.join(" | ")};`);
  }

  const wgsl = [
    `// ${gpus} GPUs, ${shape.experts.length} experts with a choice, generated by src/specialised/generate.ts.`,
    ...(equalSpeeds ? [] : pacesOf(speed)),
    "fn solve_lp(p: u32) {",
    ...(equalSpeeds ? [] : ["start_caps();"]),
    ...lines,
    "}",
  ].join("\n");
  return { wgsl, statements: lines.length, equalSpeeds };
}

/** What common/whole_time.wgsl needs. */
function pacesOf(speed: readonly number[]): string[] {
  const slowest = Math.min(...speed);
  const paces = speed.map((v) => `${Math.max(1, Math.round((SLOWEST_PACE * slowest) / v))}u`);
  return [
    `const gpus = ${speed.length}u;`,
    `var<private> paces: array<u32, gpus> = array<u32, gpus>(${paces.join(", ")});`,
    "var<private> member: array<bool, gpus>;",
    "var<private> cap: array<i32, gpus>;",
    "fn pace(g: u32) -> u32 { return paces[g]; }",
  ];
}
