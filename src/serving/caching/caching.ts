import { fifo } from "./fifo.ts";
import { gdsf } from "./gdsf.ts";
import { lec } from "./lec.ts";
import { lfu } from "./lfu.ts";
import { lru } from "./lru.ts";
import { s3fifo } from "./s3fifo.ts";

/**
 * What a cache keeps: each makes a policy. `lru`, `lfu`, `fifo` and `s3fifo` go by use alone; `gdsf` and `lec` by what a miss costs and what a key takes up, too.
 * All but `lec` admit whatever fits. In prefix trees a leaf goes before its parent, whatever the policy.
 */
export const caching = { lru, lfu, fifo, s3fifo, gdsf, lec };
