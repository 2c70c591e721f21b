/** All that evenkeel/serving has for caches as a user writes it. Never run: test/types.test.ts and tools/compat/types compile it. */
import {
  type CacheBound,
  type CacheBoundOptions,
  type CacheDecisions,
  type CacheDecisionsOptions,
  type CacheOptions,
  type CachePolicy,
  type CacheTrace,
  type CertifiedCacheBound,
  type CertifyCacheBoundOptions,
  type Confidence,
  cacheBound,
  caching,
  certifyCacheBound,
  createCache,
  type EmbeddingCacheTraceOptions,
  type EmbeddingOptions,
  type EncoderTime,
  embeddingCacheTrace,
  generateTrace,
  type ImageCatalogue,
  type Key,
  type LecOptions,
  type Model,
  type PolicyCache,
  type PrefixCacheTraceOptions,
  type PromptImages,
  prefixCacheTrace,
  type ReadCacheTraceOptions,
  readCacheTrace,
  routing,
  type SetOptions,
  type SimulateCacheOptions,
  type SimulatedCache,
  type StepTime,
  simulate,
  simulateCache,
  type Trace,
} from "evenkeel/serving";

export async function cacheTraces(file: string, stepTime: StepTime): Promise<number[]> {
  const options: ReadCacheTraceOptions = { format: "sized" };
  const { key, size, cost, time, hitCost, parent }: CacheTrace = await readCacheTrace(file, options);
  return [key[0], size[0], cost[0], time?.[0] ?? 0, hitCost?.[0] ?? 0, parent?.[0] ?? -1, stepTime.base];
}

export function cachesOf(servegen: object, trace: Trace, stepTime: StepTime): CacheTrace[] {
  const images: ImageCatalogue = { distinct: 100, power: 1 };
  const generated = generateTrace({ requests: 10, seed: 1, rate: 2, lengths: { servegen }, images });
  const sent: PromptImages | undefined = generated.images;
  const encoder: EncoderTime = { base: 0.01, perToken: 1e-5 * (sent?.tokens.length ?? 1) };
  const embeddings: EmbeddingCacheTraceOptions = { encoder };
  const prefixes: PrefixCacheTraceOptions = { stepTime };
  return [prefixCacheTrace(trace, prefixes), embeddingCacheTrace(generated, embeddings)];
}

/** Keeps the first that come. */
const firstCome: CachePolicy = {
  name: "first come",
  create({ capacity }: CacheDecisionsOptions): CacheDecisions {
    let used = 0;
    return {
      hit() {},
      admit(_key: Key, size) {
        if (used + size <= capacity) used += size;
        return used + size <= capacity;
      },
      victim: () => undefined,
      removed() {},
    };
  },
};

export function kept(trace: CacheTrace): number[] {
  const confidence: Confidence = { requests: 1e4, keys: 20 };
  const options: LecOptions = { costs: [1, 101], confidence, selection: true };
  const cacheOptions: CacheOptions<string> = { capacity: 10, policy: caching.lec(options) };
  const cache: PolicyCache<string> = createCache(cacheOptions);
  const model: Model = cache.choose("prompt");
  const made: SetOptions = { size: 2, cost: 30, model };
  if (cache.get("prompt") === undefined) cache.set("prompt", "answer", made);
  const simulated: SimulateCacheOptions = { capacity: 10, policy: firstCome };
  const { hitRatio, latency, regret }: SimulatedCache = simulateCache(trace, simulated);
  return [cache.size, hitRatio, latency.p99, regret];
}

export async function served(trace: Trace, stepTime: StepTime): Promise<number> {
  const embeddings: EmbeddingOptions = {
    capacity: 1e5,
    policy: caching.gdsf(),
    encoder: { base: 0.01, perToken: 1e-5 },
  };
  const workers = [{ slots: 8, kvTokens: 1e5, stepTime }];
  const options = { workers, clock: "seconds", routing: routing.leastKv(), caching: firstCome, embeddings } as const;
  const { summary } = await simulate(trace, options);
  return (summary.embeddingHit ?? 0) + (summary.prefixHit ?? 0);
}

export function bounded(trace: CacheTrace): boolean {
  const options: CacheBoundOptions = { capacity: 10, window: 1000 };
  const { cost, prices, exact }: CacheBound = cacheBound(trace, options);
  const plain: CertifyCacheBoundOptions = { capacity: 10 };
  const certified: CertifiedCacheBound = certifyCacheBound(trace, plain, prices);
  return certified.valid && certified.cost === cost && exact;
}
