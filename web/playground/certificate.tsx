import { useState } from "preact/hooks";
import { certify } from "../../src/index.ts";
import { type Forgery, forgeries, type Picture } from "./picture.ts";
import { certificateRows } from "./words.ts";

/** `certify` in the page: of the two solutions, and of one that was tampered with. */
export function Certificates({ picture }: { picture: Picture }) {
  const [forgery, setForgery] = useState<Forgery>();
  const { certificates, problem, answers } = picture;
  const tokens = forgery === undefined ? certificates.tokens : certify(problem, forgeries[forgery](answers.tokens))[0];
  return (
    <>
      <p>
        Whoever solved it: <code>certify</code> shares no code with the solvers and recomputes everything from the
        loads, the placement and the claims. Try to fool it:
      </p>
      <div class="row">
        {(Object.keys(forgeries) as Forgery[]).map((one) => (
          <button
            type="button"
            key={one}
            aria-pressed={one === forgery}
            onClick={() => setForgery(one === forgery ? undefined : one)}
          >
            claim {one}
          </button>
        ))}
      </div>
      <div class="certificates">
        <Verdict
          title={forgery === undefined ? "Token-optimal split" : `Token-optimal split, claiming ${forgery}`}
          certificate={tokens}
        />
        <Verdict title="Time-optimal split" certificate={certificates.time} />
      </div>
    </>
  );
}

function Verdict({ title, certificate }: { title: string; certificate: Picture["certificates"]["tokens"] }) {
  const { verdict } = certificate;
  return (
    <section class={`certificate ${verdict}`} aria-live="polite">
      <h3>
        {title}: <span class="verdict">{verdictNames[verdict]}</span>
      </h3>
      <ul>
        {certificateRows(certificate).map(({ claim, holds }) => (
          <li key={claim} class={holds ? "holds" : "fails"}>
            {claim}: <b>{holds ? "true" : "false"}</b>
          </li>
        ))}
      </ul>
    </section>
  );
}

const verdictNames = {
  optimal: "optimal, proven",
  gap: "valid, with a gap left",
  invalid: "refused",
};
