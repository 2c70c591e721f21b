import "./playground.css";
import { Layout, show } from "../shell/layout.tsx";
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
