import { ArgumentError } from "../../common/errors.ts";
import { requireNoneMisspelt } from "../../common/objects.ts";
import { type StepTime, stepTimeFields } from "../../serving/step_time.ts";
import { type Content, jsonOf } from "./content.ts";
import { fieldsFound } from "./fields.ts";

/**
 * How long a step lasts: JSON `{ base, perSequence, perKvToken, perPrefillToken, perContext }` in seconds, or what `fitStepTime` returns,
 * with that as its `stepTime`.
 *
 * @throws {ArgumentError} It is neither; the field is named.
 */
export function parseStepTime(content: Content): StepTime {
  const json = jsonOf(content);
  const given = isObject(json) && "stepTime" in json ? json.stepTime : json;
  const names = Object.keys(stepTimeFields) as (keyof StepTime)[];
  const source = content.name;
  if (!isObject(given) || !("base" in given)) {
    throw new ArgumentError(source, `{ ${names.join(", ")} } in seconds`, given, fieldsFound(given));
  }
  requireNoneMisspelt(source, given, stepTimeFields);
  const seconds = (name: keyof StepTime) => {
    const value = given[name];
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
    throw new ArgumentError(`${source}: ${name}`, "a number of seconds >= 0", value);
  };
  const stepTime = Object.fromEntries(names.map((name) => [name, seconds(name)])) as unknown as StepTime;
  if (stepTime.base + stepTime.perSequence + stepTime.perKvToken > 0) return stepTime;
  throw new ArgumentError(source, "base, perSequence or perKvToken above 0, as a step must last", 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
