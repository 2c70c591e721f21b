/**
 * Control flow over lanes that hold an LP each: a branch is a mask, assignments in it go to the lanes of the mask alone, and a loop ends when
 * no lane is left. So the text of one LP solves several at once, and what a lane answers does not depend on its neighbours.
 */
import type { Code, Field, Variable } from "./field.ts";

/** What a machine of lanes can do. A mask is a value, too: all bits of a lane, or none. */
export interface Lanes<S> extends Field<S, S> {
  /** The mask of all lanes. */
  everywhere(): S;
  register(initial: S): Variable<S>;
  /** Does `body` if some lane is in the mask. */
  ifAny(mask: S, body: () => void): void;
  /** Repeats `head` and then `body`, until no lane is in the mask that `head` returns. */
  whileAny(head: () => S, body: () => void): void;
}

/** @returns a Code whose conditions are masks. */
export function masked<S>(lanes: Lanes<S>): Code<S, S> & { readonly mask: () => S } {
  /** Of the block that is being written; undefined: all lanes. */
  let current: S | undefined;

  function within(mask: S, body: () => void): void {
    const outer = current;
    current = mask;
    body();
    current = outer;
  }
  return {
    ...lanes,
    mask: () => current ?? lanes.everywhere(),
    variable(initial) {
      const born = current;
      const register = lanes.register(initial);
      return {
        get: () => register.get(),
        set(value) {
          // The lanes outside of the block that it was born in never look at it.
          const all = current === undefined || current === born;
          register.set(all ? value : lanes.select(current as S, value, register.get()));
        },
      };
    },
    when(condition, body) {
      const mask = current === undefined ? condition : lanes.and(current, condition);
      lanes.ifAny(mask, () => within(mask, body));
    },
    loop(condition, body) {
      const active = lanes.register(current ?? lanes.everywhere());
      let mask: S;
      lanes.whileAny(
        () => {
          within(active.get(), () => {
            mask = lanes.and(current as S, condition());
          });
          active.set(mask);
          return mask;
        },
        () => within(mask, body),
      );
    },
  };
}
