import { useMemo } from "preact/hooks";
import { barChart } from "../../src/cli/print/charts.ts";
import { Figure, Table } from "../shell/figure.tsx";
import { Message } from "../shell/message.tsx";
import { Certificates } from "./certificate.tsx";
import { type Picture, ways } from "./picture.ts";
import {
  gpuTable,
  lostInWords,
  movedInWords,
  movesTable,
  proofInWords,
  solverInWords,
  timeProofInWords,
  times,
  us,
  wayColours,
  wayNames,
} from "./words.ts";

export function Headline({ picture }: { picture: Picture }) {
  const { answers } = picture;
  const proven = {
    first: "each expert on its first GPU alone",
    even: "every replica gets the same",
    tokens: answers.tokens.status[0] === "optimal" ? "proven: no split does better" : "certified, with a gap",
    time:
      answers.time.status[0] === "optimal"
        ? "proven: no split is faster"
        : `less than ${us(answers.time.timeBound[0])} is impossible`,
  };
  return (
    <dl class="headline">
      {ways.map((way) => (
        <div key={way} style={{ "--hue": `var(--series-${wayColours[way]})` }}>
          <dt>{wayNames[way]}</dt>
          <dd>
            {times(picture.ways[way].imbalance)} <small>x the mean load</small>
          </dd>
          <dd>
            done after <b>{us(picture.ways[way].maxTime)}</b>
          </dd>
          <dd>{proven[way]}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Results({ picture }: { picture: Picture }) {
  const lost = lostInWords(picture);
  return (
    <>
      <h2>Why no split does better</h2>
      {lost && <Message kind="status">{lost}</Message>}
      <p class="proof">{proofInWords(picture)}</p>
      <p>{timeProofInWords(picture)}</p>
      <Certificates picture={picture} />
      <p class="faint">{solverInWords(picture)}</p>
      <h2>Load and time of each GPU</h2>
      <Charts picture={picture} />
      <Table
        rows={gpuTable(picture)}
        caption="Tokens and time of each GPU by each split; the price is how much sooner the batch would be done for one token less there. S is the bottleneck set."
      />
      <h2>What moved</h2>
      <p>{movedInWords(picture)}</p>
      {picture.moves.length > 0 && (
        <Table
          rows={movesTable(picture)}
          caption="Tokens that change their replica, from shared evenly to token-optimal."
        />
      )}
    </>
  );
}

function Charts({ picture }: { picture: Picture }) {
  const { load, time } = useMemo(() => chartsOf(picture), [picture]);
  return (
    <>
      <Figure
        svg={load}
        name="Bar chart of the tokens of each GPU by four splits"
        caption="Tokens of each GPU. S: in the bottleneck set, whose tokens can go nowhere else. The table below has the figures."
      />
      <Figure
        svg={time}
        name="Bar chart of the time of each GPU by four splits"
        caption="Time of each GPU, us. In decode a GPU reads the weights of every expert that has any tokens, so the fewest tokens are not always the least time."
      />
    </>
  );
}

function chartsOf(picture: Picture): { load: string; time: string } {
  const { placement, proof, answers } = picture;
  const chart = (y: string, bottleneck: readonly number[], value: "load" | "time") =>
    barChart({
      x: "GPU",
      y: { name: y, min: 0 },
      categories: Array.from({ length: placement.gpus }, (_, g) => (bottleneck.includes(g) ? `${g} S` : String(g))),
      series: ways.map((way) => ({
        name: wayNames[way],
        values: [...picture.ways[way][value]],
        colour: wayColours[way],
      })),
    });
  return {
    load: chart("tokens", proof.gpus, "load"),
    time: chart("us", answers.time.bottleneck[0], "time"),
  };
}
