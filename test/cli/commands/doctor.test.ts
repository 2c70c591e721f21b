import { expect, test } from "vitest";
import { version } from "../../../package.json";
import { evenkeel, onSoftware } from "../evenkeel.ts";

test("doctor --json describes the adapters, the one that is taken and the kernels that work on it", async () => {
  const { code, stdout } = await evenkeel(["doctor", "--json"], onSoftware); // a Vulkan loader may say anything on stderr
  expect(code).toBe(0);
  const { runtime, taken, adapters, kernels } = JSON.parse(stdout);
  expect(runtime).toBe(`Node ${process.versions.node}`);
  expect(kernels).toEqual(["lane", "group", "specialised", "time"].map((kernel) => ({ kernel, ok: true })));
  expect(taken).toMatchObject({ software: true, reason: expect.stringMatching(/^.+ has a software adapter\./) });
  const described = adapters.find((adapter: { name?: string }) => adapter.name === taken.name);
  expect(described.limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
  expect(described.limits.maxComputeWorkgroupStorageSize).toBeGreaterThanOrEqual(16384);
  for (const { name, missing } of adapters) expect(name === undefined).toBe(missing !== undefined);
});

test("doctor prints the same in words", async () => {
  const { code, stdout } = await evenkeel(["doctor"], onSoftware);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^SwiftShader, software +\S/m);
  expect(stdout).toMatch(/^timestamp-query +(yes|no)/m);
  expect(stdout).toMatch(/^maxStorageBuffersPerShaderStage +\d/m);
  expect(stdout).toMatch(/^Taken: .+ has a software adapter\./m);
  for (const kernel of ["lane", "group", "specialised", "time"]) {
    expect(stdout).toMatch(new RegExp(`^kernel ${kernel} +ok$`, "m"));
  }
  for (const runtime of ["Node", "Deno", "Bun", "browsers"])
    expect(stdout).toMatch(new RegExp(`^${runtime} +\\S`, "m"));
});

test("doctor exits with 1, and says what to install, exactly when there is no device", async () => {
  // No Vulkan driver answers from an empty file; a GPU that is reached without Vulkan still does.
  const hidden = { VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null" };
  const { code, stdout } = await evenkeel(["doctor", "--json"], { EVENKEEL_ADAPTER: "hardware", ...hidden });
  const { taken, error, kernels } = JSON.parse(stdout);
  expect(code).toBe(taken ? 0 : 1);
  expect(kernels.length).toBe(taken ? 3 : 0);
  if (!taken) expect(error).toMatch(/^No hardware WebGPU adapter\. .*(apt|npm) install/);
});

test("doctor reports a bad EVENKEEL_ADAPTER", async () => {
  const { code, stdout } = await evenkeel(["doctor"], { EVENKEEL_ADAPTER: "gpu" });
  expect(code).toBe(1);
  expect(stdout).toContain('EVENKEEL_ADAPTER: expected one of auto, hardware, software, got "gpu".');
});

test.each([
  [["docter"], "evenkeel: unknown command 'docter' (Did you mean doctor?)\n"],
  [["doctor", "--xml"], "evenkeel: unknown option '--xml'\n"],
])("bad usage, %j, is one line on stderr and exit code 2", async (args, stderr) => {
  expect(await evenkeel(args)).toEqual({ code: 2, stdout: "", stderr });
});

test("--version and --help are no failures", async () => {
  expect(await evenkeel(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  expect(await evenkeel(["--help"])).toMatchObject({ code: 0, stdout: expect.stringContaining("doctor") });
});
