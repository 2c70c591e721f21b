import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { generate, own } from "./own_clients.ts";

describe("what is refused of ServeGen's clients", () => {
  const where = "lengths.servegen.clients.text";
  const text = own.clients.text;
  const trace = (row: readonly unknown[]) => ({ clients: { text: { ...text, trace: [row] } } });
  const dataset = (fields: object) => ({ clients: { text: { ...text, dataset: { "0": fields } } } });
  const one = { "1": 1 };
  test.each<[string, object]>([
    ["lengths.servegen.windowSeconds: expected seconds >= 1, got undefined.", { windowSeconds: undefined }],
    ["lengths.servegen.clients: expected an object, got Array of length 0.", { clients: [] }],
    ["lengths.servegen.clients: expected a client with requests, got an object of Object.", { clients: {} }],
    ["lengths.servegen.clients: expected a client with requests, got an object of Object.", trace([0, 0, 0, "", 0, 0])],
    ["lengths.servegen.clients.text: expected an object, got null.", { clients: { text: null } }],
    [`${where}.trace: expected an array of windows, got undefined.`, { clients: { text: { dataset: {} } } }],
    [`${where}.dataset: expected an object, got undefined.`, { clients: { text: { trace: [] } } }],
    [`${where}.trace[0]: expected [begin, rate, cv, distribution, shape, scale], got 7.`, trace(7 as never)],
    [
      `${where}.trace[0][0]: expected the beginning of a window, 0 s or later, got -600.`,
      trace([-600, 1, 1, "Gamma", 1, 1]),
    ],
    [
      `${where}.trace[1][0]: expected the beginning of a window, 600 s or later, got 300.`,
      { clients: { text: { ...text, trace: [text.trace[0], [300, 1, 1, "Gamma", 1, 1]] } } },
    ],
    [
      `${where}.trace[0][1]: expected 0, or requests per s from 1e-12 to 1000000000000, got -1.`,
      trace([0, -1, 1, "Gamma", 1, 1]),
    ],
    [`${where}.trace[0][3]: expected "Gamma" or "Weibull", got "Pareto".`, trace([0, 1, 1, "Pareto", 1, 1])],
    [
      `${where}.trace[0][4]: expected the shape of a Gamma distribution, from 0.000001 to 1000000000000, got 0.`,
      trace([0, 1, 1, "Gamma", 0, 1]),
    ],
    [
      `${where}.trace[0][4]: expected the shape of a Weibull distribution, from 0.1 to 1000000000000, got 0.05.`,
      trace([0, 1, 1, "Weibull", 0.05, 1]),
    ],
    [
      `${where}.dataset: expected times in whole seconds as names, got "noon".`,
      { clients: { text: { ...text, dataset: { noon: {} } } } },
    ],
    [
      `${where}.dataset: expected distributions of lengths at 0 s or before, for ${where}.trace[0], got an object of Object.`,
      { clients: { text: { ...text, dataset: {} } } },
    ],
    [`${where}.dataset.0: expected an object, got 7.`, dataset(7 as never)],
    [`${where}.dataset.0.output_tokens: expected an object, got undefined.`, dataset({ input_tokens: one })],
    [`${where}.dataset.0.text_tokens: expected an object, got undefined.`, dataset({ output_tokens: one })],
    [
      `${where}.dataset.0.image_count: expected an object, got undefined.`,
      dataset({ output_tokens: one, text_tokens: one, image_tokens: one }),
    ],
    [
      `${where}.dataset.0.image_count: expected integers from 0 to 10000 as names, got "10001".`,
      dataset({ output_tokens: one, text_tokens: one, image_tokens: one, image_count: { "10001": 1 } }),
    ],
    [
      `${where}.dataset.0.input_tokens: expected integers from 0 to 2147483647 as names, got "1.5".`,
      dataset({ output_tokens: one, input_tokens: { "1.5": 1 } }),
    ],
    [
      `${where}.dataset.0.input_tokens.2: expected a probability, got -1.`,
      dataset({ output_tokens: one, input_tokens: { "2": -1 } }),
    ],
    [
      `${where}.dataset.0.input_tokens: expected probabilities that add up to 1, to within 0.01, got 0.5.`,
      dataset({ output_tokens: one, input_tokens: { "2": 0.5 } }),
    ],
    [
      `${where} at 0 s: input: expected fewer than 2^31 tokens, got `,
      dataset({ output_tokens: one, text_tokens: one, image_tokens: { "2147483647": 1 }, image_count: { "2": 1 } }),
    ],
  ])("%s", (message, part) => {
    const call = () => generate({}, { ...own, ...part });
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(message);
  });

  test("anything but an object, arrivals beside it, lengths beside it", () => {
    expect(() => generate({}, null as never)).toThrow("lengths.servegen: expected an object, got null.");
    expect(() => generate({ arrivals: "poisson" })).toThrow("arrivals: expected undefined: ServeGen's clients have");
    const both = { servegen: own, input: [1], output: [1] };
    expect(() => generate({ lengths: both })).toThrow("lengths: expected either input and output or servegen, got");
  });
});
