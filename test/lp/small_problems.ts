/** A good problem of each form, which tests change in one part. */
import { Placement } from "../../src/index.ts";

export const pairs = (...edges: [number, number][]) => edges;
export const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2, 2, 0], { gpus: 3 });
export const replicaForm = { placement, expertLoad: [90, 30, 0], baseLoad: [0, 0, 10] };
export const edgeForm = { gpus: 3, edges: pairs([0, 1], [1, 2]), load: [9, 3, 0], capacity: [6, 4] };
