/** node scripts/run.mjs tools/site/cube_batch.ts: rows of solve-batch on its first topology, in Node, as JSON. */
import { Bench } from "../../bench/harness.ts";
import { simdAlone } from "../../bench/kernels_alone.ts";
import { evenkeelKernels } from "../../bench/ours.ts";
import { graphWorkload } from "../../bench/workloads.ts";
import { requestDevice, topologies } from "../../src/index.ts";

const { device } = await requestDevice({ adapter: "software" });
const bench = new Bench(device, true);
const work = graphWorkload("cube 8x2", topologies.cube8(), 8, 1024);
await bench.compare("solve-batch", work, [...evenkeelKernels(bench), simdAlone]);
console.log(JSON.stringify(bench.rows));
device.destroy();
