import { expect, test } from "vitest";
import { ArgumentError } from "../../src/common/errors.ts";
import { seeded } from "../../src/common/random.ts";
import { WaitingQueue } from "../../src/serving/queue.ts";

type Entry = [id: number, input: number, item: string];

/** The same by an array, where everything takes as long as there are entries. */
function same(queue: WaitingQueue<string>, entries: readonly Entry[]): boolean {
  if (queue.length !== entries.length) return false;
  if (entries.length === 0) return true;
  const [id, input, item] = entries[0];
  return queue.id === id && queue.input === input && queue.item === item;
}

test.each([1, 2, 3, 4, 5, 6])("keeps the order of an array, whatever is put, taken and removed: seed %i", (seed) => {
  const random = seeded(seed);
  const queue = new WaitingQueue<string>();
  let entries: Entry[] = [];
  let longest = 0;
  for (let next = 0; next < 10_000; next++) {
    // Longer phases in which more come than go, and the other way round.
    const comes = random.next() < (Math.floor(next / 1000) % 2 === 0 ? 0.6 : 0.35);
    const entry: Entry = [next, random.below(1000) + 1, `kept ${next}`];
    if (comes && random.next() < 0.1) {
      queue.unshift(...entry);
      entries = [entry, ...entries];
    } else if (comes) {
      queue.push(...entry);
      entries.push(entry);
    } else if (random.next() < 0.5) {
      const id = random.below(next + 1);
      expect(queue.remove(id)).toBe(entries.some(([other]) => other === id));
      entries = entries.filter(([other]) => other !== id);
    } else if (entries.length > 0) {
      queue.shift();
      entries.shift();
    }
    if (!same(queue, entries)) throw new Error(`seed ${seed}: differs after step ${next}`);
    longest = Math.max(longest, entries.length);
  }
  expect(longest).toBeGreaterThan(100);
  for (; entries.length > 0; entries.shift()) {
    expect(same(queue, entries)).toBe(true);
    queue.shift();
  }
  expect(queue.length).toBe(0);
});

test("one that waits is not put again, and one that has gone may come again", () => {
  const queue = new WaitingQueue();
  queue.push(7, 1);
  expect(() => queue.push(7, 1)).toThrow(ArgumentError);
  expect(() => queue.unshift(7, 1)).toThrow("id: expected one that does not wait already, got 7.");
  queue.shift();
  queue.push(7, 2);
  expect([queue.length, queue.id, queue.input]).toEqual([1, 7, 2]);
});

test("a long stay of one does not make those that come and go behind it take room", () => {
  const queue = new WaitingQueue();
  queue.push(0, 1);
  for (let id = 1; id < 20_000; id++) {
    queue.push(id, 1);
    expect(queue.remove(id)).toBe(true);
  }
  const { ids } = queue as unknown as { ids: Int32Array };
  expect(ids.length).toBe(16);
  expect(queue.id).toBe(0);
});
