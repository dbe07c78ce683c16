#!/bin/bash
# Checks the CUDA engine on this machine's GPU and times it, within 9 minutes, without Node or network:
#   scripts/gpu-verify.sh [--name NAME] [--seconds 540] [--shim]
# Builds for this GPU alone; runs every kernel's test, the engine against the CPU engine, compute-sanitizer on small
# shapes, losslessness on SmolLM2-135M where MSN_SMOLLM2 names its folder; then the benches. Results go to
# bench/results/gpu-<name>-<date>.json and into a table. --shim: the same on the host shim with tiny shapes, to check the
# scripts; its times mean nothing. Exit status 1 when a check fails; a bar that is missed or not measured is no failure.
source "$(dirname "$0")/gpu-common.sh"

failed=0
expect() { stage "$@" || failed=1; }

stage build 300 build_programs || { report verify; exit 1; }

export OMP_NUM_THREADS=1
if [ "$shim" = 1 ]; then
  MSN_TINY_TESTS=1 expect "kernel tests" 120 "$kernel_tests"
  # So little memory that the loss is taken in several chunks.
  MSN_SHIM_MEMORY_BYTES=67108864 expect "engine checks" 240 "$programs/engine_check" --size tiny --results "$lines"
else
  expect "kernel tests" 60 "$kernel_tests"
  expect "engine checks" 90 "$programs/engine_check" --results "$lines"
fi

sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" 2>/dev/null)
if [ "$shim" = 0 ] && [ -n "$sanitizer" ]; then
  export MSN_TINY_TESTS=1
  for tool in memcheck racecheck; do
    # One that the clock stops has found nothing until then; the table says so.
    stage "compute-sanitizer $tool" 75 "$sanitizer" --tool "$tool" --error-exitcode 9 "$kernel_tests" ||
      [ $? = 124 ] || failed=1
  done
  unset MSN_TINY_TESTS
else
  note "compute-sanitizer" skipped 0 "not on this machine, or the shim"
fi

smollm2=${MSN_SMOLLM2:-}
if [ -n "$smollm2" ] && python3 bench/gpu/model_table.py "$smollm2" > "$work/smollm2.txt"; then
  # The shim is too slow for it: there the CPU engine stands in.
  if [ "$shim" = 1 ]; then smollm2_on=(--device cpu --size tiny); else smollm2_on=(--device cuda --size full); fi
  expect "SmolLM2-135M" 120 "$programs/engine_check" "${smollm2_on[@]}" --model-table "$work/smollm2.txt" --results "$lines"
else
  note "SmolLM2-135M" skipped 0 "MSN_SMOLLM2 names no folder of the model"
fi
# The same text with both methods, through the command line.
same_text_through_node() {
  local method
  for method in autoregressive tr-jacobi; do
    node dist/cli/main.js generate "$smollm2" "The history of the number zero begins" --raw --max-new-tokens 256 \
      --device cuda --method $method > "$work/$method.txt" || return 1
  done
  cmp "$work/autoregressive.txt" "$work/tr-jacobi.txt"
}
export smollm2
export -f same_text_through_node
if command -v node >/dev/null && [ -f dist/cli/main.js ] && [ "$shim" = 0 ]; then
  expect "msn doctor" 20 node dist/cli/main.js doctor
  [ -n "$smollm2" ] && expect "SmolLM2-135M through Node" 60 same_text_through_node
else
  note "through Node" skipped 0 "no Node, no built package, or the shim"
fi

if [ "$shim" = 1 ]; then
  stage "decode tiny" 120 "$programs/decode_bench" --model tiny --contexts 64 --nodes 1,16 --repeats 2 --results "$lines"
  stage "training tiny" 60 "$programs/training_bench" --model tiny --rows 2 --length 32 --repeats 2 --results "$lines"
else
  stage "decode 8b" 120 "$programs/decode_bench" --model 8b --results "$lines"
  stage "decode 1b" 60 "$programs/decode_bench" --model 1b --results "$lines"
  stage "training 1b" 90 "$programs/training_bench" --results "$lines"
fi

report verify || failed=1
echo "$((SECONDS - started)) s in all; $([ $failed = 0 ] && echo 'every check passed' || echo 'a check FAILED or was left out')"
exit $failed
