import { expect, test } from "vitest";
import { ArgumentError } from "../../../src/index.ts";
import { linkOf, MOST_CHARACTERS, stateOf } from "../../../web/playground/link.ts";
import { questionOf } from "../../../web/playground/question.ts";
import { initial } from "../../../web/playground/state.ts";
import { randomState } from "./states.ts";

test("what the page begins with needs no more than the version", () => {
  expect(linkOf(initial)).toEqual({ fragment: "v=1" });
  expect(stateOf("v=1")).toEqual(initial);
  expect(stateOf("")).toEqual(initial);
});

test("states come back as they were", () => {
  let lists = 0;
  for (let seed = 0; seed < 500; seed++) {
    const state = randomState(seed);
    const { fragment, warning } = linkOf(state);
    expect(warning, `seed ${seed}`).toBeUndefined();
    expect(stateOf(fragment), `seed ${seed}`).toEqual(state);
    expect(new URL(`#${fragment}`, "https://example.org/").hash, `seed ${seed}`).toBe(`#${fragment}`);
    if (state.batch.length > 0 && state.speed.length > 0) lists++;
  }
  expect(lists).toBeGreaterThan(50);
});

test.each([
  ["gpus=8", /^v: expected 1, the version of links that this page knows, got null/],
  ["v=2&gpus=8", /^v: expected 1, .* got "2"/],
  ["v=1&gpu=8", /^the link: expected fields among place, .*, got "gpu"/],
  ["v=1&gpus=8&gpus=4", /^gpus: expected one value, got "two"/],
  ["v=1&gpus=0", /^gpus: expected a whole number from 1 to 512, got "0"/],
  ["v=1&gpus=eight", /^gpus: expected a whole number from 1 to 512, got "eight"/],
  ["v=1&gpus=", /^gpus: expected a whole number .* got ""/],
  ["v=1&skew=Infinity", /^skew: expected a number from 0 to 4/],
  ["v=1&place=mars", /^place: expected one of eplb, planner, topology, file, got "mars"/],
  ["v=1&batch=1,2,x", /^batch\[2\]: expected a whole number/],
  ["v=1&batch=1,,3", /^batch\[1\]: expected a whole number/],
  [`v=1&dead=${"1,".repeat(600)}1`, /^dead: expected at most 512 numbers, got 601/],
  [`v=1&loadsFile=${"x".repeat(201)}`, /^loadsFile: expected at most 200 letters/],
  ["%%%", /^v: expected 1/],
])("%s says what is wrong with it", (fragment, message) => {
  expect(() => stateOf(fragment)).toThrow(ArgumentError);
  expect(() => stateOf(fragment)).toThrow(message);
});

test.each([
  ["v=1&batch=1,2,3", /^batch: expected experts = 32 values, got 3/],
  ["v=1&experts=33", /^replicas: expected a multiple of gpus = 8, got 41/],
  ["v=1&speed=1,2", /^speed: expected gpus = 8 values, got 2/],
  ["v=1&dead=9", /^dead: expected GPUs in 0..7, got 9/],
  ["v=1&dead=0,1,2,3,4,5,6,7", /^dead: expected fewer than all 8 GPUs/],
  ["v=1&place=file&map=0,1,2", /^map: expected a multiple of gpus = 8 slots, got 3/],
  ["v=1&place=file", /^map: expected a non-empty array/],
  ["v=1&loads=file", /^expected: expected experts = 32 values, got 0/],
  ["v=1&experts=1024&redundant=4096", /^experts \+ redundant: expected at most 4096 slots/],
  ["v=1&place=topology&experts=33", /expected a multiple of epSize = 8/],
])("%s has fields that do not fit each other, and says which", (fragment, message) => {
  expect(() => questionOf(stateOf(fragment))).toThrow(ArgumentError);
  expect(() => questionOf(stateOf(fragment))).toThrow(message);
});

test("a file that is too large for a link stays out of it, and that is said", () => {
  const map = Array.from({ length: 4096 }, (_, slot) => slot % 1024);
  const state = { ...initial, place: "file", gpus: 64, experts: 1024, map, placementFile: "large.json" } as const;
  const { fragment, warning } = linkOf({ ...state, seed: 3 });
  expect(warning).toMatch(
    /^The link has no file in it: with it, it would have 1\d,\d{3} characters, more than 16,000\.$/,
  );
  expect(fragment.length).toBeLessThan(MOST_CHARACTERS);
  expect(stateOf(fragment)).toEqual({ ...initial, seed: 3 });
});
