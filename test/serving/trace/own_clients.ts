import { type GenerateOptions, generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";

/** Two clients: one of text from 0 to 1,800 s, one of images in the second of four windows. */
export const own = {
  source: "made up",
  windowSeconds: 600,
  clients: {
    text: {
      trace: [
        [0, 2, 1, "Gamma", 1, 123],
        [600, 1, 3, "Gamma", 0.2, 0],
        [1200, 0, 0, "", 0, 0],
        [1800, 1, 0.5, "Weibull", 2, 0],
      ],
      dataset: {
        "0": { input_tokens: { "10": 0.25, "20": 0.75 }, output_tokens: { "5": 1 }, reason_ratio: { "0.5": 1 } },
        "600": { input_tokens: {}, output_tokens: {}, reason_ratio: {} },
        "1800": { input_tokens: { "30": 1 }, output_tokens: { "0": 0.5, "7": 0.5 } },
      },
    },
    images: {
      trace: [[600, 4, 1, "Gamma", 1, 1]],
      dataset: {
        "0": {
          text_tokens: { "3": 1 },
          image_tokens: { "100": 0.5, "1000": 0.5 },
          image_count: { "0": 0.2, "2": 0.8 },
          audio_tokens: { "0": 1 },
          audio_count: { "0": 1 },
          output_tokens: { "9": 1 },
        },
      },
    },
  },
};
/** Requests of a day of 2,400 s at the recorded rates. */
export const DAY = 600 * (2 + 1 + 1 + 4);
export const DAYS = 20;
export const generate = (part: Partial<GenerateOptions> = {}, servegen: object = own): Trace =>
  generateTrace({ requests: DAYS * DAY, seed: 1, rate: DAY / 2400, lengths: { servegen }, ...part });
