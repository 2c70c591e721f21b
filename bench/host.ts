/** What only some hosts have: a question that meets one without it says so in a note. Node's is host_node.ts; a browser has none of it. */
import type { Method } from "./method.ts";
import type { CudaUse } from "./row.ts";
import type { Workload } from "./workloads.ts";

export interface Host {
  /** For worker threads, where there are any. */
  cores?: number;
  /** What all threads of this process have spent so far, in ms. A core that waits spends none. */
  coresMs?(): number;
  /** HiGHS is megabytes of WebAssembly. */
  highs?: Method;
  exportedC?: Method;
  exportedCuda?: Method;
  nvcc?: { version: string; useOf(work: Workload): Record<string, CudaUse> };
  /** Files of recorded loads, by their path, which ends in .gz where they are packed. */
  recorded?(path: string): string;
}
