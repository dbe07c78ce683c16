#!/bin/bash
# Checks the CUDA engine on this machine's GPU and times it, within 9 minutes, without Node or network:
#   scripts/gpu-verify.sh [--name NAME] [--seconds 540] [--folder bench/results] [--shim]
# Builds for this GPU alone; runs every kernel's test, the engine against the CPU engine, losslessness on SmolLM2-135M
# where MSN_SMOLLM2 names its folder; then the benches, and compute-sanitizer on small shapes with the time that is left
# (before the benches where a kernel's test failed). Writes gpu-<name>-verify-<date>.json and .log into the folder after
# every stage, and prints a table. --shim: the same on the host shim with tiny shapes, to check the scripts; its times
# mean nothing. Exit status 1 when a check fails; a bar that is missed or not measured is no failure.
command=verify
source "$(dirname "$0")/gpu-common.sh"

failed=0
expect() {
  stage "$@" && return
  failed=1
  return 1
}

# What did build is tried even where something else did not.
stage build 240 build_programs || failed=1

if [ "$shim" = 1 ]; then
  export MSN_TINY_TESTS=1 tests_at_once=2
  expect "kernel tests" 120 kernel_tests_apart
  unset MSN_TINY_TESTS
else
  expect "kernel tests" 100 kernel_tests_apart
fi

# Each part of the engine's checks in a process of its own, for the same reason. One whose device is lost runs again,
# waiting for every kernel, so that the error names it.
engine_part() {
  local status output=$work/part-${1//[^a-z0-9]/-}.log
  "$programs/engine_check" --size "$size" --results "$lines" --part "$1" 2>&1 | tee "$output"
  status=${PIPESTATUS[0]}
  [ "$status" -le 1 ] || echo "FAILED  engine checks, $1: ended with status $status"
  if [ "$status" -gt 1 ] || grep -q 'is lost to this process' "$output"; then
    echo "again, one kernel at a time: $1"
    CUDA_LAUNCH_BLOCKING=1 "$programs/engine_check" --size "$size" --part "$1" 2>&1 | sed 's/^/    /'
  elif [ "$status" = 1 ]; then
    echo "again, no kernel started early (passing now, the fault is in how kernels overlap): $1"
    MSN_CUDA_EARLY_START=off "$programs/engine_check" --size "$size" --part "$1" 2>&1 | sed 's/^/    /'
  fi
  [ "$status" = 0 ]
}
engine_parts() {
  local names
  names=$("$programs/engine_check" --size "$size" --part list) || return 1
  xargs -d '\n' -P 2 -I '{}' bash -c 'engine_part "$1"' engine_part '{}' <<<"$names"
}
export -f engine_part engine_parts
engine_failed=0
if [ "$shim" = 1 ]; then
  # So little memory that the loss is taken in several chunks.
  MSN_SHIM_MEMORY_BYTES=67108864 size=tiny expect "engine checks" 240 engine_parts || engine_failed=1
else
  size=full expect "engine checks" 120 engine_parts || engine_failed=1
fi

sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" 2>/dev/null)
# A stage under compute-sanitizer. One that the clock stops has found nothing until then; the table says so.
sanitized() { # as stage
  stage "$@"
  case $? in 0 | 124 | 125 | 137) ;; *) failed=1 ;; esac
}
# compute-sanitizer's TOOL on the kernel tests named, or on all, with tiny shapes.
sanitize_kernels() { # tool, limit, names
  local tool=$1 limit=$2
  shift 2
  MSN_TINY_TESTS=1 tests_at_once=6 checker="$sanitizer --tool $tool --error-exitcode 9" \
    sanitized "compute-sanitizer $tool" "$limit" kernel_tests_apart "$@"
}
sanitize_engine() {
  sanitized "compute-sanitizer on the engine" 60 "$sanitizer" --tool memcheck --error-exitcode 9 \
    "$programs/engine_check" --size tiny
}
if [ "$shim" = 1 ] || [ -z "$sanitizer" ]; then
  sanitizer=""
  note compute-sanitizer skipped 0 "not on this machine, or the shim"
elif ! timeout 60 "$sanitizer" "$kernel_tests" "device copies" >"$work/sanitizer.log" 2>&1; then
  sanitizer=""
  { echo "== compute-sanitizer does not work here"; cat "$work/sanitizer.log"; } >>"$log"
  note compute-sanitizer skipped 0 "it cannot watch a sound test on this machine; the log says more"
fi
# Where something failed it comes at once: it says most of why.
# FAILED  name   0.123 s, or FAILED  name: ended with status 139
mapfile -t failing < <(sed -nE 's/^FAILED  ([^ ].*[^ ])( +[0-9.]+ s|: (ended|stopped) .*)$/\1/p' "$work/kernel-tests.log")
if [ -n "$sanitizer" ] && [ $((${#failing[@]} + engine_failed)) -gt 0 ]; then
  if [ ${#failing[@]} -gt 0 ]; then
    sanitize_kernels memcheck 60 "${failing[@]}"
    sanitize_kernels racecheck 60 "${failing[@]}"
  fi
  [ $engine_failed = 1 ] && sanitize_engine
  sanitizer=""
fi

smollm2=${MSN_SMOLLM2:-}
if [ -n "$smollm2" ] && python3 bench/gpu/model_table.py "$smollm2" >"$work/smollm2.txt"; then
  # The shim is too slow for it: there the CPU engine stands in.
  if [ "$shim" = 1 ]; then smollm2_on=(--device cpu --size tiny); else smollm2_on=(--device cuda --size full); fi
  expect "SmolLM2-135M" 60 "$programs/engine_check" "${smollm2_on[@]}" --model-table "$work/smollm2.txt" --results "$lines"
else
  note "SmolLM2-135M" skipped 0 "MSN_SMOLLM2 names no folder of the model"
fi
# The same text with both methods, through the command line.
same_text_through_node() {
  local method
  for method in autoregressive tr-jacobi; do
    node dist/cli/main.js generate "$smollm2" "The history of the number zero begins" --raw --max-new-tokens 256 \
      --device cuda --method $method >"$work/$method.txt" || return 1
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
  timing "decode tiny" 120 "$programs/decode_bench" --model tiny --contexts 64 --nodes 1,16 --profile 4 --warm-up 1 \
    --repeats 2 --results "$lines"
  timing "training tiny" 60 "$programs/training_bench" --model tiny --rows 2 --length 32 --repeats 2 --results "$lines"
else
  timing "decode 8b" 75 "$programs/decode_bench" --model 8b --contexts 1024 --profile 1,4,16,64,128 --results "$lines"
  timing "training 1b" 60 "$programs/training_bench" --results "$lines"
  timing "decode 1b" 45 "$programs/decode_bench" --model 1b --contexts 1024 --profile 1,4,16,64,128 --results "$lines"
  timing "decode 8b at 32k" 75 "$programs/decode_bench" --model 8b --contexts 32768 --profile 64 --results "$lines"
fi

if [ -n "$sanitizer" ]; then
  sanitize_kernels memcheck 75
  sanitize_kernels racecheck 75
  sanitize_engine
fi

report || failed=1
echo "$((SECONDS - started)) s in all; $([ $failed = 0 ] && echo 'every check passed' || echo 'a check FAILED or was left out')"
exit $failed
