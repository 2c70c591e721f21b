import { Layout, show } from "../shell/layout.tsx";

show(
  <Layout page="Playground" title="Playground" withoutWebgpu="Everything here is computed on the CPU.">
    <p>How evenly the tokens of a batch fall on GPUs, before and after the optimal split.</p>
  </Layout>,
);
