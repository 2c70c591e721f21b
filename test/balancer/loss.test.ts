import { afterEach, describe, expect, test, vi } from "vitest";
import { sharedDevice } from "../../src/gpu/device.ts";
import { createBalancer, DeviceError, requestDevice } from "../../src/index.ts";
import { shared, sharedFaults, sharedIds } from "../helpers/batches.ts";
import { withLimit } from "../helpers/devices.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const ids = sharedIds(201);

/** A balancer on a device of its own that has answered once. */
async function balancerOn(options: { recover?: boolean; adapter?: "hardware"; late?: boolean }) {
  const { device } = await requestDevice();
  const balancer = await createBalancer({ ...shared, ...options, device });
  expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]);
  return { device, balancer };
}

/** Loses the device when the next work has been submitted and not yet read back. */
function loseAfterSubmit(device: GPUDevice): void {
  const real = GPUQueue.prototype.submit;
  vi.spyOn(GPUQueue.prototype, "submit").mockImplementationOnce(function (this: GPUQueue, commands) {
    real.call(this, commands);
    device.destroy();
    return undefined;
  });
}

describe("without recover", () => {
  test("the pending call and all after it reject with DeviceError", async () => {
    const { device, balancer } = await balancerOn({});
    loseAfterSubmit(device);
    const [pending, queued] = [balancer.balance(ids), balancer.balance(ids)];
    await expect(pending).rejects.toThrow(DeviceError);
    await expect(queued).rejects.toThrow(DeviceError);
    for (let i = 0; i < 2; i++) {
      await expect(balancer.balance(ids)).rejects.toThrow(/^The WebGPU device was lost \(destroyed\).*recover: true/);
    }
    const encoder = (await requestDevice()).device.createCommandEncoder();
    const buffers = {} as Parameters<typeof balancer.encode>[1];
    expect(() => balancer.encode(encoder, buffers)).toThrow(DeviceError);
    expect(balancer.metrics()).toMatchObject({ batches: 1, recoveries: 0 });
    expect(balancer.plan.kernel).toBe("lane"); // nobody asked for another
  });

  test("a device that is lost before there is a balancer for it shows at the first call", async () => {
    const { device } = await requestDevice();
    device.destroy();
    const balancer = await createBalancer({ ...shared, device });
    await expect(balancer.balance(ids)).rejects.toThrow(DeviceError);
  });
});

describe("with recover", () => {
  test("the pending call rejects, the next works on a new device, and is right", async () => {
    const { device, balancer } = await balancerOn({ recover: true });
    loseAfterSubmit(device);
    const [pending, queued] = [balancer.balance(ids), balancer.balance(sharedIds(202))];
    await expect(pending).rejects.toThrow(DeviceError);
    const balanced = await queued;
    expect(balanced.backend).toBe("webgpu");
    expect(sharedFaults(sharedIds(202), balanced)).toEqual([]);
    expect(balancer.device).not.toBe(device);
    expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]);
    expect(balancer.metrics()).toMatchObject({ batches: 3, recoveries: 1 });

    balancer.device!.destroy(); // lost between calls, no call fails
    await balancer.device!.lost;
    expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]);
    expect(balancer.metrics()).toMatchObject({ batches: 4, recoveries: 2 });
    expect(balancer.plan.kernel).toBe("lane");

    // What is neither want of a device nor of room on it is a fault: the call rejects, and the next tries again, instead of the CPU in silence.
    balancer.device!.destroy();
    await balancer.device!.lost;
    vi.spyOn(GPUDevice.prototype, "createBuffer").mockImplementationOnce(() => {
      throw new RangeError("not enough memory");
    });
    await expect(balancer.balance(ids)).rejects.toThrow("not enough memory");
    expect(balancer.plan.kernel).toBe("lane");
    expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]);
    expect(balancer.plan.kernel).toBe("lane");
    expect(balancer.metrics().recoveries).toBe(3);

    // A device with less room: the CPU, which says why.
    balancer.device!.destroy();
    await balancer.device!.lost;
    const small = (await sharedDevice()).device;
    await withLimit(small, "maxComputeWorkgroupsPerDimension", 2, async () =>
      expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]),
    );
    const reason = `layers: expected at most 2 on this device, got 3. Use backend "cpu".`;
    expect(balancer).toMatchObject({ backend: "cpu", reason, plan: { kernel: "cpu", reason } });
    balancer.destroy();
  });

  test("where there is no other device, the next call works on the CPU", async () => {
    const { device, balancer } = await balancerOn({ recover: true, adapter: "hardware", late: true });
    const made = balancer.balance(ids);
    device.destroy(); // before the call has begun its work
    await expect(made).rejects.toThrow(DeviceError);
    const anotherGpu = await requestDevice({ adapter: "hardware" }).then(
      () => "webgpu",
      () => "cpu",
    );
    const balanced = await balancer.balance(ids);
    expect([balanced.backend, balancer.backend]).toEqual([anotherGpu, anotherGpu]);
    if (anotherGpu === "cpu") expect(balancer.plan).toEqual({ kernel: "cpu", reason: balancer.reason });
    expect(sharedFaults(ids, balanced)).toEqual([]);
    expect(balanced.quota).not.toEqual((await balancer.balance(ids)).quota); // late, and the solution was lost: an even split first
    expect(balancer.metrics().recoveries).toBe(1);
    balancer.destroy();
  });
});
