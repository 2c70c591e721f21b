import { certify, Placement, solveLoadBalanceLP } from "evenkeel";

// Three GPUs with two slots each: experts 0 and 1 have two replicas, experts 2 and 3 have one.
const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 3], { gpus: 3 });
const problem = { placement, expertLoad: [60, 200, 20, 10] }; // tokens of each expert in this batch
const solution = await solveLoadBalanceLP(problem);

console.log("max load  ", solution.maxLoad[0]); // 105, where an even split gives 130
console.log("quota     ", ...solution.quota); // tokens of each slot: 0 105 60 20 95 10
console.log("bottleneck", ...solution.bottleneck[0]); // 0 2: the 210 tokens of experts 1 and 3 fit nowhere else
console.log("verdict   ", certify(problem, solution)[0].verdict); // optimal
