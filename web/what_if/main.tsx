import "./what_if.css";
import { Layout, show } from "../shell/layout.tsx";
import { Thread } from "./jobs.ts";
import { WhatIf } from "./what_if.tsx";

show(
  <Layout page="What if" title="What if" withoutWebgpu="Simulations run on the CPU, which takes longer.">
    <p>
      How many workers keep a latency target, up to which rate, at what energy? Each combination of policies, workers,
      rates and seeds is a simulation of the same requests; on a GPU thousands run at once.
    </p>
    <WhatIf thread={new Thread("what_if_worker.js")} />
  </Layout>,
);
