import { Layout, show } from "../shell/layout.tsx";

show(
  <Layout page="Benchmark" title="Benchmark on your GPU" withoutWebgpu="Only the CPU can be measured.">
    <p>How long this machine takes for each linear program.</p>
  </Layout>,
);
