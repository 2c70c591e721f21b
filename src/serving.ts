export { ArgumentError, EvenkeelError, ShapeError } from "./common/errors.ts";
export { Placement } from "./placement/placement.ts";
export {
  PolicyError,
  type Queue,
  type RequestView,
  type Router,
  type RouterOptions,
  type RoutingPolicy,
  type Rule,
  type Scheduler,
  type SchedulerOptions,
  type SchedulingPolicy,
  type WorkerView,
} from "./serving/policy.ts";
export { scheduling } from "./serving/scheduling/scheduling.ts";
export type { PrefillPool, SimulateOptions, WorkerSpec } from "./serving/simulator/options.ts";
export type { Prediction } from "./serving/simulator/prediction.ts";
export { simulate } from "./serving/simulator/simulate.ts";
export type { Series, Simulated, Spread, Summary } from "./serving/simulator/simulated.ts";
export type { StepTime } from "./serving/step_time.ts";
export type { PrefixBlocks, Trace } from "./serving/trace/trace.ts";
