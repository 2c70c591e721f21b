import { requireMethods } from "../policy_answers.ts";

/** What a cache knows its contents by. */
export type Key = string | number;

/** Of two that answer alike: the small one may fail and hand over to the large one, which is then part of its cost. */
export type Model = "small" | "large";

/**
 * A policy at work: told of every request, asked what to keep. It never holds values, and the cache around it sees to the capacity:
 *
 *   found      hit
 *   not found  choose, where there are two models; what is asked for is made; admit; if it is to be kept, victim and removed until there is room
 *
 * The same object in the simulator and in a live cache.
 */
export interface CacheDecisions {
  /** Asked for, and there. */
  hit(key: Key, now: number): void;
  /**
   * Asked for, and not there.
   *
   * @param size  > 0 and at most the capacity: what is larger is not offered.
   * @param cost  what this miss has cost, >= 0.
   * @param now  never less than before: s of a trace or of the machine's clock; without either, the number of the request.
   * @param parent  must be there, and stays while this key does, as a prefix of it.
   * @param model  that has been paid for.
   * @returns whether to keep it. If so it counts as there from now on, and victims must make room for it.
   */
  admit(key: Key, size: number, cost: number, now: number, parent?: Key, model?: Model): boolean;
  /**
   * What is to go next: nothing that is the parent of another. Of what has just been admitted it says that it is not kept after all. Until `removed` the answer may be the same.
   *
   * @returns undefined where nothing may go; then what has just been admitted is removed instead.
   */
  victim(): Key | undefined;
  /** It is no longer there: evicted, deleted, or out of date. */
  removed(key: Key): void;
  /** Which of two models a miss of this key is to be sent to. Of policies that choose. */
  choose?(key: Key): Model;
}

/** What a cache keeps. */
export interface CachePolicy {
  name: string;
  create(o: CacheDecisionsOptions): CacheDecisions;
}

export interface CacheDecisionsOptions {
  /** In the unit of the sizes. */
  capacity: number;
  seed: number;
}

/** What a policy makes.  @param made  how a message calls it.  @throws {ArgumentError} It lacks a method. */
export function decisionsOf(policy: CachePolicy, o: CacheDecisionsOptions, made: string): CacheDecisions {
  const decisions = policy.create(o);
  requireMethods(made, decisions, ["hit", "admit", "victim", "removed"]);
  return decisions;
}
