import { useEffect, useState } from "preact/hooks";
import { requestDevice } from "../../src/index.ts";
import { Message } from "./message.tsx";

/** Where there is no WebGPU: what the page does without, why there is none, and what helps. */
export function WebgpuNotice({ without }: { without: string }) {
  const [reason, setReason] = useState<string>();
  useEffect(() => {
    whyNone().then(setReason);
  }, []);
  if (reason === undefined) return null;
  return (
    <Message kind="status">
      WebGPU is not to be had here. {without} {HELP}
      <div class="faint">{reason}</div>
    </Message>
  );
}

const HELP =
  "WebGPU comes with Chrome and Edge from 113, Firefox from 141 and Safari from 26, on Linux often behind a setting (chrome://flags/#enable-unsafe-webgpu, or dom.webgpu.enabled in about:config), and pages have it on https or localhost only.";

async function whyNone(): Promise<string | undefined> {
  try {
    const { device } = await requestDevice();
    device.destroy();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
