import { useState } from "preact/hooks";
import { Message } from "../shell/message.tsx";
import type { Link } from "./link.ts";

/** The link to what is shown; it is in the address, too. */
export function Share({ link, onReset }: { link: Link; onReset(): void }) {
  const [said, setSaid] = useState<string>();
  const copy = async () => {
    const address = new URL(`#${link.fragment}`, location.href).href;
    try {
      await navigator.clipboard.writeText(address);
      setSaid("Copied: whoever opens it sees what you see.");
    } catch {
      setSaid("This browser does not let the page copy: the link is in the address bar.");
    }
  };
  return (
    <div class="share">
      <div class="row">
        <button type="button" class="primary" onClick={copy}>
          Copy the link
        </button>
        <button type="button" onClick={onReset}>
          Start over
        </button>
      </div>
      {(link.warning ?? said) && <Message kind="status">{link.warning ?? said}</Message>}
    </div>
  );
}
