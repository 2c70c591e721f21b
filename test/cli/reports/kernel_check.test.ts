import { expect, test } from "vitest";
import { checkKernels } from "../../../src/cli/reports/kernel_check.ts";
import { requestDevice } from "../../../src/index.ts";

test("what does not compile fails with the compiler's words, what is not optimal although the CPU mends it; the rest is ok", async () => {
  const { device } = await requestDevice();
  const create = device.createShaderModule.bind(device);
  const head = "fn move_tokens(start: u32, end: u32) {";
  device.createShaderModule = ({ code, label }) => {
    const [kernel] = label!.split(" ");
    if (kernel === "group") return create({ code: code.replace(head, `${head} if (start < 99u) { return; }`) });
    return create({ code: kernel === "specialised" ? code.replace("{ solve_lp(p); }", "{ solve_it(p); }") : code });
  };
  const [lane, group, specialised] = await checkKernels(device);
  device.destroy();
  expect(lane).toEqual({ kernel: "lane", ok: true, reason: undefined });
  expect(group).toEqual({ kernel: "group", ok: false, reason: "of 4 LPs it solved 2 to the optimum" });
  expect(specialised).toMatchObject({ kernel: "specialised", ok: false });
  expect(specialised.reason).toMatch(/^.*specialised\.wgsl:\d+:\d+ unresolved call target 'solve_it'.*$/); // one line
});
