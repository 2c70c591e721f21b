import { Layout, show } from "../shell/layout.tsx";
import "./playground.css"; // after the shell's, on top of which it is
import { Playground } from "./playground.tsx";

show(
  <Layout
    page="Playground"
    title="Playground: split a batch over replicas"
    withoutWebgpu="Everything here is computed on the CPU."
  >
    <Playground />
  </Layout>,
);
