import { type CanonicalForm, labelLayout } from "../../lp/kernels/canonical.ts";
import type { Code } from "../../lp/text/field.ts";
import { evenCaps, solveForm } from "../../lp/text/solve_form.ts";
import { Statements, type Value } from "./statements.ts";

/**
 * A function that solves the LPs of a topology without labels, which it looks up.
 *
 * @param control  What branches and loops are.
 * @throws {TooLong} It takes more than `most` statements.
 */
export function solveFunction(
  form: CanonicalForm,
  name: string,
  control: (statements: Statements) => Code<Value, Value>,
  most: number,
): string {
  const { shape, slots } = form;
  const at = labelLayout(form);
  const body = new Statements(most);
  const alone = Array.from({ length: shape.gpus }, (_, g) => {
    const singles = `label[${at.singleStart + g}], label[${at.singleStart + g + 1}]`;
    return body.named("whole", `serve_singles(label, label[${at.gpu + g}], ${singles}, load, base, quota)`);
  });
  let next = at.expert;
  const loads = slots.map((members) => members.map(() => body.named("whole", `load[label[${next++}]]`)));

  const c = control(body);
  const answer = solveForm(c, form, alone, loads, evenCaps(c));

  for (const [i, { text }] of answer.quotas.flat(3).entries()) body.add(`quota[label[${at.slot + i}]] = ${text};`);
  body.add(`proof->closed = ${answer.closed.text};`);
  body.add(`proof->sweeps = ${answer.sweeps.text};`);
  body.add(`proof->moves = ${answer.moves.text};`);
  for (const [g, { text }] of answer.member.entries()) body.add(`add_member(proof, label[${at.gpu + g}], ${text});`);
  const parameters = "const int32_t *label, const whole *load, const whole *base, whole *quota, struct proof *proof";
  return [
    `/* ${shape.gpus} GPUs, sets of them that experts can choose among: ${shape.experts.length}. */`,
    `FUNCTION void ${name}(${parameters})`,
    ...["{", ...body.lines(), "}"],
  ].join("\n");
}
