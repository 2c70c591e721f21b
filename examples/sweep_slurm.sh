#!/bin/bash
# A sweep as an array of eight tasks, and a job that puts their parts together once all have ended well:
#
#   sweep=$(sbatch --parsable sweep_slurm.sh trace.jsonl results)
#   sbatch --dependency=afterok:$sweep --wrap 'evenkeel merge results/shard_*.json --out results/sweep.json --html results/sweep.html'
#
#SBATCH --job-name=evenkeel-sweep
#SBATCH --array=0-7
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
set -euo pipefail
trace=$1
results=$2
mkdir -p "$results"

evenkeel sweep "$trace" --workers 1-4 --slots 64 --kv-tokens 400000 --rates 0.5x,1x,2x \
  --route least-kv,round-robin --schedule fcfs,svf --prediction exact --slo-ttft 2000 --slo-tpot 60 \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --out "$results/shard_$SLURM_ARRAY_TASK_ID.json"
