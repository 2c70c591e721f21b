/** What a record may leave open, and what recorded ones say. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { placementMaps, rebalanceExperts } from "../../src/index.ts";
import { needsRecordedData, recordedDataPresent, recordedJson } from "../helpers/recorded.ts";
import { counts, example, expertsOf, literal, place, randomLayers, read } from "./systems.ts";

describe("what a record may leave open", () => {
  const shape = { gpus: 3 };

  test.each(["vllm", "sglang", "eplb"] as const)("%s: one of the maps suffices", (format) => {
    const maps = literal[format].maps;
    const [map, inverse, count] = Object.keys(maps);
    for (const kept of [[map], [inverse], [map, inverse], [map, count], [inverse, count]]) {
      const part = Object.fromEntries(kept.map((name) => [name, maps[name]]));
      expect(expertsOf(read(part, shape)), kept.join()).toEqual(example);
    }
    expect(() => read({ [count]: counts }, shape)).toThrow(
      `${map}: expected a map [L, P], or ${inverse} [L, E, X], got undefined.`,
    );
  });

  test("slots in any order, as EPLB makes them, and padding of any width", () => {
    const random = seeded(7);
    for (let i = 0; i < 20; i++) {
      const placements = randomLayers(random, "eplb");
      const { phy2log, log2phy } = placementMaps(placements, "eplb");
      const width = log2phy[0][0].length + random.below(40);
      const shuffled = log2phy.map((layer) =>
        layer.map((row) => {
          const used = random.shuffle(row.filter((slot) => slot >= 0));
          return [...used, ...new Array<number>(width - used.length).fill(-1)];
        }),
      );
      const found = read({ phy2log, log2phy: shuffled }, { gpus: placements[0].gpus });
      expect(found).toEqual(placements);
      expect(read({ log2phy: shuffled }, { gpus: placements[0].gpus })).toEqual(placements);
    }
  });

  test("other names are ignored, and names without a value are not there", () => {
    const json = { logical_count: [[3]], phy2log: undefined, physical_to_logical_map: example };
    expect(expertsOf(read(json, shape))).toEqual(example);
  });

  test("rebalanceExperts makes EPLB's maps", () => {
    const weight = [
      [9, 2, 4, 1],
      [1, 1, 1, 1],
    ];
    const { physicalToLogical, logicalToPhysical, replicaCount, maxReplicas } = rebalanceExperts(weight, {
      replicas: 6,
      gpus: 2,
    });
    const log2phy = logicalToPhysical.map((flat) =>
      Array.from({ length: 4 }, (_, e) => flat.subarray(e * maxReplicas, (e + 1) * maxReplicas)),
    );
    const found = read({ phy2log: physicalToLogical, log2phy, logcnt: replicaCount }, { gpus: 2 });
    expect(expertsOf(found)).toEqual(physicalToLogical.map((row) => [...row]));
  });
});

describe.skipIf(!recordedDataPresent)(`recorded maps ${needsRecordedData}`, () => {
  test("of EPLB itself: counts agree, and come out again", () => {
    const { cases } = recordedJson("vectors/eplb_vectors.json");
    for (const { name, phy2log, logcnt, numGpus: gpus } of cases) {
      const placements = read({ phy2log, logcnt }, { gpus });
      const maps = placementMaps(placements, "eplb");
      expect({ phy2log: maps.phy2log, logcnt: maps.logcnt }, name).toEqual({ phy2log, logcnt });
      expect(read({ log2phy: maps.log2phy }, { gpus }), name).toEqual(placements);
    }
    expect(cases).toHaveLength(10);
  });

  test("of vLLM with unused slots: they keep their numbers, and are written again", () => {
    const { phy2log, logcnt, log2phyLayer0 } = recordedJson(
      "vectors/eplb_misc_vectors.json",
    ).vllm_logical_maps_unused_slots;
    for (const gpus of [2, 3]) {
      const placements = read({ physical_to_logical_map: phy2log }, { gpus });
      expect(expertsOf(placements)).toEqual(phy2log);
      const maps = placementMaps(placements, "vllm");
      expect(maps.physical_to_logical_map).toEqual(phy2log);
      expect(maps.logical_replica_count).toEqual(logcnt);
      expect(maps.logical_to_physical_map[0]).toEqual(log2phyLayer0);
    }
  });

  test("of vLLM with an expert several times on a GPU", () => {
    const { cases } = recordedJson("vectors/eplb_misc_vectors.json").vllm_preserve_intragpu_slots;
    for (const { id, numRanks: gpus, old, new: later } of cases) {
      const placements = read({ physical_to_logical_map: [old, later] }, { gpus });
      for (const format of ["vllm", "trtllm"] as const) {
        expect(read(placementMaps(placements, format), { gpus }), `${id}, ${format}`).toEqual(placements);
      }
    }
    expect(cases).toHaveLength(3);
  });

  test("of TensorRT-LLM: its initial assignments as compressed rows", () => {
    const { initialAssignments, epSize } = recordedJson("vectors/eplb_misc_vectors.json").trtllm.maskDeadRank;
    expect(placementMaps(place([initialAssignments], epSize), "trtllm")).toEqual({
      expertReplicaCount: [[2, 2, 2, 2]],
      expertReplicaStartOffset: [[0, 2, 4, 6]],
      globalSlotIds: [[0, 2, 1, 4, 3, 6, 5, 7]],
    });
  });
});
