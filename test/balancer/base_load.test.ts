/** What GPUs do besides their experts enters the LP, the reports and the proofs: as an option, with a batch, and in a buffer. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { type Balancer, createBalancer, LoadError, type Rows, requestDevice } from "../../src/index.ts";
import { difference, rowOf } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { livingFaults } from "../helpers/crew.ts";
import { expectReport, recomputed } from "../helpers/imbalance.ts";
import { randomSpeeds } from "../helpers/instances.ts";
import { all, base, E, expectRight, G, L, other, P, rows } from "./base_loads.ts";

const { device } = await requestDevice();
const most = 2 ** 31 - 1;
const ids = sharedIds(615);

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  const create = (extra: object = {}): Promise<Balancer> => createBalancer({ ...shared, backend, device, ...extra });

  test.each<[string, Rows, number[][], { speed?: number[] }]>([
    ["[L, G] in rows", base, base, {}],
    ["[L, G], flat and typed", Uint16Array.from(base.flat()), base, {}],
    ["[G] for every layer", base[1], [base[1], base[1], base[1]], {}],
    ["at unequal speeds", base, base, { speed: randomSpeeds(seeded(604), G) }],
  ])(
    "the option, %s: optimal, certified and reported, and not what it would be without",
    async (_, given, as, extra) => {
      const [balancer, without] = [await create({ ...extra, baseLoad: given }), await create(extra)];
      const balanced = await balancer.balance(ids);
      expect(balanced.status).toEqual(["optimal", "optimal", "optimal"]);
      await expectRight(ids, balanced, as, extra.speed);
      const plain = await without.balance(ids);
      for (let l = 0; l < L; l++)
        expect(difference(rowOf(balanced.quota, l, P), rowOf(plain.quota, l, P))).toBeDefined();
      expect(plain.proof(0).problem.baseLoad).toBeUndefined();
      for (const one of [balancer, without]) one.destroy();
    },
  );

  test("a batch's own takes the place of the option's, for that batch; both are copied at once", async () => {
    const [option, own] = [base.map((row) => [...row]), Int32Array.from(other.flat())];
    const balancer = await create({ baseLoad: option });
    for (const row of option) row.fill(-1);
    const answers = [balancer.balance(ids, { baseLoad: own }), balancer.balance(ids), balancer.balance(ids, {})];
    own.fill(-1);
    for (const [i, expected] of [other, base, base].entries()) {
      const balanced = await answers[i];
      await expectRight(ids, balanced, expected);
      (balanced.proof(0).problem.baseLoad as Int32Array).fill(7); // the caller's
    }
    await expectRight(ids, await balancer.balance(ids, { baseLoad: undefined }), base);
    const none = base.map((row) => row.map(() => 0));
    await expectRight(ids, await balancer.balance(ids, { baseLoad: none }), none);
    balancer.destroy();
  });

  test("layers without tokens: reports of base loads alone", async () => {
    const balancer = await create({ baseLoad: base });
    const nothing = sharedIds(605, 20, 1);
    await expectRight(nothing, await balancer.balance(nothing), base);
    balancer.destroy();
  });

  test("ranks that give the same meet the quotas of all tokens together", async () => {
    const halves = [sharedIds(606, 200), sharedIds(607, 90)];
    const ranks = [await create(), await create()];
    const own = ranks.map((rank, r) => rank.count(halves[r]));
    const counts = own[0].map((tokens, i) => tokens + own[1][i]);
    const befores = [new Int32Array(L * E), own[0]];
    const answers = await Promise.all(
      ranks.map((rank, r) => rank.balance(halves[r], { counts, before: befores[r], baseLoad: base })),
    );
    const both = new Int32Array(L * 290 * shared.topK);
    for (let l = 0; l < L; l++) {
      const row = rowOf(both, l, both.length / L);
      row.set(rowOf(halves[0], l, 200 * shared.topK));
      row.set(rowOf(halves[1], l, 90 * shared.topK), 200 * shared.topK);
    }
    const alone = await ranks[0].balance(both, { baseLoad: base });
    await expectRight(both, alone, base);
    for (const [r, answer] of answers.entries()) {
      expect(difference(answer.quota, alone.quota), `rank ${r}`).toBeUndefined();
      expect(answer.after).toEqual(alone.after);
      for (let l = 0; l < L; l++) {
        const [first, width] = [r * 200 * shared.topK, halves[r].length / L];
        const expected = rowOf(alone.physicalIds, l, both.length / L).subarray(first, first + width);
        expect(difference(rowOf(answer.physicalIds, l, width), expected)).toBeUndefined();
      }
    }
    for (const rank of ranks) rank.destroy();
  });

  test("late: a batch goes by the one before as its base loads were, and is measured with its own", async () => {
    const [late, now] = [await create({ late: true, baseLoad: base }), await create()];
    const first = await late.balance(ids);
    const evenly = recomputed(shared.placement, rows(first.counts, E), undefined, base);
    expectReport(first.before, evenly);
    expectReport(first.after, evenly);
    for (const [own, before] of [
      [other, base],
      [base, other],
    ]) {
      const solved = await now.balance(ids, { baseLoad: before });
      const balanced = await late.balance(ids, { baseLoad: own });
      expect(balanced.status).toEqual(["late", "late", "late"]);
      expect(difference(balanced.quota, solved.quota)).toBeUndefined();
      await expectRight(ids, balanced, own);
    }
    for (const one of [late, now]) one.destroy();
  });

  test("skipBelow: base loads make a layer uneven that was even, and even one that was not", async () => {
    const plain = await create();
    const { before } = await plain.balance(ids);
    plain.destroy();
    // Layer 0 is uneven by base loads alone, layer 1 made even by what its hottest GPU has more, layer 2 as it is.
    const uneven = all.map((_, g) => (g === 5 ? 2000 : 0));
    const fill = rows(before.gpuLoad, G)[1].map((tokens) => before.max[1] - tokens);
    const nothing = all.map(() => 0);
    const batch = ids.slice();
    rowOf(batch, 0, batch.length / L).fill(-1);
    const skipBelow = 1.0001;
    const balancer = await create({ skipBelow });
    expect((await balancer.balance(batch)).status).toEqual(["skipped", "optimal", "optimal"]);
    const baseLoad = [uneven, fill, nothing];
    const balanced = await balancer.balance(batch, { baseLoad });
    expect(balanced.status).toEqual(["optimal", "skipped", "optimal"]);
    await expectRight(batch, balanced, baseLoad);
    balancer.destroy();
  });

  test("of dead GPUs it is not read, whenever they die; of one that comes back it is", async () => {
    const junk = (l: number, g: number, tokens: number) => (g === 3 ? [-1, Number.NaN, 2 ** 40][l] : tokens);
    const broken = base.map((row, l) => row.map((tokens, g) => junk(l, g, tokens)));
    await expect(create({ baseLoad: broken })).rejects.toThrow(/^baseLoad\[0\]\[3\]: expected an integer from 0 to/);
    const active = all.map((_, g) => g !== 3);
    const balancer = await create({ baseLoad: broken, active });
    const asked = { placements: shared.placement, layers: L, ids, active, baseLoad: base };
    expect(await livingFaults(asked, await balancer.balance(ids))).toEqual([]);
    const ofOther = { ...asked, baseLoad: other };
    const brokenOther = other.map((row, l) => row.map((tokens, g) => junk(l, g, tokens)));
    expect(await livingFaults(ofOther, await balancer.balance(ids, { baseLoad: brokenOther }))).toEqual([]);
    // Nobody knows what the GPU does: it stays dead.
    await expect(balancer.setActive(all)).rejects.toThrow(LoadError);
    expect(await livingFaults(asked, await balancer.balance(ids))).toEqual([]);
    balancer.destroy();

    const mended = await create({ baseLoad: base });
    const under = mended.setActive(active); // not yet done when the batch is handed over
    const dying = mended.balance(ids, { baseLoad: brokenOther });
    await under;
    expect(await livingFaults(ofOther, await dying)).toEqual([]);
    expect(await livingFaults(asked, await mended.balance(ids))).toEqual([]);
    await mended.setActive(all);
    const late = await create({ baseLoad: base, active });
    await late.setActive(all);
    for (const one of [mended, late]) {
      await expectRight(ids, await one.balance(ids), base);
      one.destroy();
    }
  });

  test("counts and base loads of a layer add up to 2^31 - 1 at most: padding is not counted, nor are dead GPUs", async () => {
    const balancer = await create();
    const own = balancer.count(ids);
    const before = new Int32Array(L * E);
    for (let l = 0; l < L; l++) {
      const room = most - rowOf(own, l, E).reduce((a, b) => a + b);
      expect(most - room).toBeLessThan(ids.length / L); // there is padding
      const full = all.map((_, g) => (g === 2 ? room - 10 : g === 4 ? 10 : 0));
      const at = (row: number[]) => base.map((any, layer) => (layer === l ? row : any));
      for (const rank of [{}, { counts: own, before }]) {
        await expectRight(ids, await balancer.balance(ids, { ...rank, baseLoad: at(full) }), at(full));
        const over = balancer.balance(ids, { ...rank, baseLoad: at(full.with(7, 1)) });
        await expect(over).rejects.toThrow(LoadError);
        await expect(over).rejects.toThrow(
          `rank.baseLoad: expected a total of at most ${most} in layer ${l}, its counts included, got ${2 ** 31}.`,
        );
      }
    }
    // Where all is full already: by the other ranks' tokens, by a batch without padding.
    const one = [1, 0, 0, 0, 0, 0, 0, 0];
    const [busy, total] = [own[0], rowOf(own, 0, E).reduce((a, b) => a + b)];
    const counts = own.with(0, busy + most - total);
    await expect(balancer.balance(ids, { counts, before })).resolves.toBeDefined();
    await expect(balancer.balance(ids, { counts, before, baseLoad: one })).rejects.toThrow("counts included, got");
    const whole = sharedIds(616, 10, 0);
    const rest = one.with(0, most - whole.length / L);
    await expect(balancer.balance(whole, { baseLoad: rest })).resolves.toBeDefined();
    await expect(balancer.balance(whole, { baseLoad: rest.with(1, 1) })).rejects.toThrow("counts included, got");

    await balancer.setActive(all.map((_, g) => g !== 2));
    await expect(balancer.balance(ids, { baseLoad: base.map((row) => row.with(2, most)) })).resolves.toBeDefined();
    balancer.destroy();
    const tooMuch = await create({ baseLoad: all.map((_, g) => (g === 0 ? most : 0)) });
    await expect(tooMuch.balance(ids)).rejects.toThrow(
      /^baseLoad: expected a total of at most .* in layer 0, its counts/,
    );
    await expect(tooMuch.balance(ids, { baseLoad: one.with(0, most) })).rejects.toThrow(
      /^rank.baseLoad: expected a total/,
    );
    tooMuch.destroy();
  });

  test("what is no base load is refused before any work, by name", async () => {
    const balancer = await create();
    const flat = base.flat();
    const bad: [message: string, baseLoad: unknown][] = [
      ["rank.baseLoad: expected an array or TypedArray of numbers, got null.", null],
      ["rank.baseLoad: expected an array or TypedArray of numbers, got an object of Object.", { 0: 1, length: 8 }],
      ["rank.baseLoad: expected numbers rather than bigints, got BigInt64Array of length 8.", new BigInt64Array(8)],
      ["rank.baseLoad: expected G = 8 or L * G = 3 * 8 = 24 values, got 23.", flat.slice(1)],
      ["rank.baseLoad: expected G = 8 or L * G = 3 * 8 = 24 values, got 16.", base.slice(1)],
      ["rank.baseLoad: expected G = 8 or L * G = 3 * 8 = 24 values, got 0.", []],
      ["rank.baseLoad[2]: expected G = 8 values, got 7.", base.with(2, base[2].slice(1))],
      ["rank.baseLoad[1]: expected a row of numbers as the first, got 5.", [base[0], 5, base[2]]],
      [`rank.baseLoad[23]: expected an integer from 0 to ${most}, got -1.`, flat.with(23, -1)],
      [`rank.baseLoad[0]: expected an integer from 0 to ${most}, got 0.25.`, flat.with(0, 0.25)],
      [
        `rank.baseLoad[2][1]: expected an integer from 0 to ${most}, got NaN.`,
        base.with(2, base[2].with(1, Number.NaN)),
      ],
      [`rank.baseLoad[6]: expected an integer from 0 to ${most}, got ${2 ** 31}.`, base[0].with(6, 2 ** 31)],
      [`rank.baseLoad: expected a total of at most ${most} in layer 1, got`, base.with(1, base[1].with(0, most))],
    ];
    for (const [message, baseLoad] of bad) {
      const refused = balancer.balance(ids, { baseLoad: baseLoad as Rows });
      await expect(refused, message).rejects.toThrow(message);
    }
    await expect(balancer.balance(ids, { baseLoads: base } as never)).rejects.toThrow("Did you mean baseLoad?");
    // Counts that came to undefined are not taken for none.
    const lost = { counts: undefined, before: undefined, baseLoad: base };
    await expect(balancer.balance(ids, lost)).rejects.toThrow(/^rank.counts: expected an array/);
    expect(balancer.metrics().batches).toBe(0);
    await expectRight(ids, await balancer.balance(ids, { baseLoad: base }), base);
    balancer.destroy();
  });
});

test("a balancer that recovers keeps the option's", async () => {
  const own = (await requestDevice()).device;
  const options = { ...shared, device: own, recover: true, baseLoad: base } as const;
  const balancer = await createBalancer({ ...options, backend: "webgpu" });
  await balancer.setActive(all.map((_, g) => g !== 1));
  await balancer.setActive(all);
  own.destroy();
  await own.lost;
  await expectRight(ids, await balancer.balance(ids), base);
  await expectRight(ids, await balancer.balance(ids, { baseLoad: other }), other);
  expect(balancer.metrics().recoveries).toBe(1);
  balancer.destroy();
});
