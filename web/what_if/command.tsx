import { useState } from "preact/hooks";
import { Scroll } from "../shell/figure.tsx";
import { Message } from "../shell/message.tsx";

/** The same question for the command line, and a link to it; copied, they are said to be. */
export function Command({ line }: { line: string }) {
  const [said, setSaid] = useState<string>();
  const copy = async (text: string, what: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(`${what} is copied.`);
    } catch {
      setSaid("This browser does not let the page copy: select the text, or take the link from the address bar.");
    }
  };
  return (
    <>
      <h2>The same elsewhere</h2>
      <p>On the command line, where several machines can share a sweep with --shard:</p>
      <Scroll name="Command line">
        <pre>
          <code>{line}</code>
        </pre>
      </Scroll>
      <div class="row">
        <button type="button" onClick={() => copy(line, "The command")}>
          Copy the command
        </button>
        <button type="button" onClick={() => copy(location.href, "The link to these settings, without the trace,")}>
          Copy the link
        </button>
      </div>
      {said && <Message kind="status">{said}</Message>}
    </>
  );
}
