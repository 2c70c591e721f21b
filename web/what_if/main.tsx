import { Layout, show } from "../shell/layout.tsx";

show(
  <Layout page="What if" title="What if" withoutWebgpu="Simulations run on the CPU.">
    <p>Thousands of simulations of the same trace, one for each policy, fleet and rate.</p>
  </Layout>,
);
