/** Set up in every process that runs tests, as in the command line's: a core less is busy while SwiftShader works. */
import { pollDawnSeldom } from "../../src/gpu/dawn_polling.ts";

pollDawnSeldom();
