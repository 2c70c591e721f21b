import { useEffect, useRef, useState } from "preact/hooks";
import { Message } from "./message.tsx";

export interface DroppedFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

interface FileDropProps {
  /** Of the button. */
  label: string;
  /** Endings that the chooser shows first: ".json,.csv". */
  accept?: string;
  onFile(file: DroppedFile): void;
}

/** A button that opens the file chooser; the file may be dropped anywhere on the page, too. One to a page. */
export function FileDrop({ label, accept, onFile }: FileDropProps) {
  const input = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<string>();
  const take = async (files: FileList | null | undefined) => {
    const outcome = await readOne(files);
    setError(typeof outcome === "string" ? outcome : undefined);
    if (typeof outcome === "object") onFile(outcome);
  };
  useDropOnPage((files) => take(files));
  return (
    <div class="file">
      <input
        ref={input}
        type="file"
        hidden
        accept={accept}
        aria-label={label}
        onChange={({ currentTarget }) => {
          // The same file again is a change, too: it may have been edited.
          take(currentTarget.files).then(() => {
            currentTarget.value = "";
          });
        }}
      />
      <button type="button" onClick={() => input.current?.click()}>
        {label}
      </button>
      <span class="faint"> or drop it anywhere on the page</span>
      {error && <Message kind="error">{error}</Message>}
    </div>
  );
}

/** A file, why there is none, or nothing where the reader chose none. */
async function readOne(files: FileList | null | undefined): Promise<DroppedFile | string | undefined> {
  if (!files) return "Expected a file, got something else. Drop a file from the file manager.";
  if (files.length === 0) return undefined;
  if (files.length > 1) return `Expected one file, got ${files.length}. Drop one at a time.`;
  const [file] = files;
  try {
    return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
  } catch (cause) {
    return `${file.name}: expected a file that can be read: ${(cause as Error).message}`;
  }
}

function useDropOnPage(onDrop: (files: FileList | undefined) => void): void {
  const latest = useRef(onDrop);
  latest.current = onDrop;
  useEffect(() => {
    const mark = (on: boolean) => document.body.classList.toggle("dropping", on);
    const over = (event: DragEvent) => {
      event.preventDefault(); // else the browser opens the file in place of the page
      mark(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) mark(false); // of the window, not from one element to the next
    };
    const drop = (event: DragEvent) => {
      event.preventDefault();
      mark(false);
      const files = event.dataTransfer?.files;
      latest.current(files?.length ? files : undefined);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);
}
