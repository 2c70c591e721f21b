import { useState } from "preact/hooks";
import { count } from "../../src/cli/print/words.ts";
import { checkCost } from "../../src/lp/time/expert_cost.ts";
import { EMPTY } from "../../src/placement/placement.ts";
import { huesOf } from "./colours.ts";
import { Choice } from "./inputs.tsx";
import { type Picture, type WayName, ways } from "./picture.ts";
import { us, wayNames } from "./words.ts";

const measures = ["tokens", "time"] as const;
type Measure = (typeof measures)[number];

/** A lane per GPU, and in it what each of its slots does, by one of the ways: the machine at a look. */
export function Lanes({ picture }: { picture: Picture }) {
  const [way, setWay] = useState<WayName>("tokens");
  const [measure, setMeasure] = useState<Measure>("tokens");
  const { most, bound, partsOf } = scaleOf(picture, measure);
  const { placement, active, proof } = picture;
  const bottleneck = measure === "tokens" ? proof.gpus : picture.answers.time.bottleneck[0];
  const hues = huesOf(placement);
  const name = placement.gpus > MANY ? "lanes many" : "lanes";
  return (
    <>
      <div class="row">
        <Choice
          label="Split"
          values={ways}
          value={way}
          nameOf={(one) => wayNames[one]}
          onChange={(next) => {
            setWay(next);
            if (next === "time") setMeasure("time");
            if (next === "tokens") setMeasure("tokens");
          }}
        />
        <Choice
          label="Length"
          values={measures}
          value={measure}
          nameOf={(one) => one}
          onChange={(one) => setMeasure(one)}
        />
      </div>
      <div class={name} style={{ "--bound": bound / most }} aria-hidden="true">
        {Array.from({ length: placement.gpus }, (_, g) => {
          const { parts, total } = partsOf(way, g);
          const isIn = bottleneck.includes(g);
          return (
            <div class={isIn ? "lane in" : "lane"} key={g}>
              <span class="gpu">
                {active?.[g] === 0 ? "dead" : isIn ? "S" : ""} <b>{g}</b>
              </span>
              <span class="track">
                {parts.map(({ slot, expert, value }) => (
                  <span
                    class={value * 40 > most ? "part named" : "part"}
                    key={slot}
                    style={{ width: `${(100 * value) / most}%`, "--hue": hues[expert] }}
                  >
                    {placement.gpus <= MANY && value * 40 > most ? expert : ""}
                  </span>
                ))}
              </span>
              <span class="total">{measure === "tokens" ? count(Math.round(total)) : us(total)}</span>
            </div>
          );
        })}
      </div>
      <p class="faint">
        {measure === "tokens"
          ? "Parts are slots, numbered by expert; experts with several replicas are coloured. The line is the proven bound: no split keeps every GPU on its left. "
          : "The time that each slot takes by the cost. The line is the proven bound of time. "}
        S marks the bottleneck set.
      </p>
    </>
  );
}

/** GPUs from which lanes are thin. */
const MANY = 24;

function scaleOf(picture: Picture, measure: Measure) {
  const { placement, speed, cost, answers } = picture;
  const { physicalToLogical, gpuOf } = placement;
  const curve = checkCost(cost);
  const worth = (tokens: number, g: number) => (measure === "tokens" ? tokens : curve.time(tokens)) / speed[g];
  const partsOf = (way: WayName, g: number) => {
    const { quota } = picture.ways[way];
    const slots = [...gpuOf.keys()].filter((slot) => gpuOf[slot] === g && physicalToLogical[slot] !== EMPTY);
    const parts = slots.map((slot) => {
      return { slot, expert: physicalToLogical[slot], value: worth(quota[slot], g) };
    });
    return { parts, total: parts.reduce((sum, { value }) => sum + value, 0) };
  };
  const most = Math.max(1e-9, ...ways.map((way) => picture.ways[way][measure === "tokens" ? "maxLoad" : "maxTime"]));
  const bound = measure === "tokens" ? answers.tokens.lowerBound[0] : answers.time.timeBound[0];
  return { most, bound, partsOf };
}
