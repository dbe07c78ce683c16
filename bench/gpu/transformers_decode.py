"""Times one forward pass of transformers behind a cached context, as decode_bench times ours.

    python3 transformers_decode.py [--model 8b] [--contexts 1024,32768] [--positions 1,64]
                                   [--modes eager,compiled] [--seconds 300] [--results FILE]

Random weights, bf16, SDPA. `eager` keeps a DynamicCache, `compiled` a StaticCache and torch.compile in mode
"reduce-overhead" (CUDA graphs). The positions are a chain, and logits are computed for all of them. What does not fit
into --seconds or into memory is left out, and the results say so.
"""

import argparse
import inspect
import time

import torch
import transformers

from peers import Results, build_model, forget, time_repeats

WARM_UP = 10
PREFILL_CHUNK = 2048
CACHE_STEP = 16  # a static cache's length is a multiple of it: attention masks want aligned rows


def fill(model, cache, context, device):
    for first in range(0, context, PREFILL_CHUNK):
        count = min(PREFILL_CHUNK, context - first)
        run_pass(model, model.forward, cache, first, count, device)


def run_pass(model, forward, cache, context, positions, device):
    tokens = torch.arange(context, context + positions, device=device) % model.config.vocab_size
    call = pass_arguments(model, cache, context, tokens, logits_to_keep=1)
    with torch.no_grad():
        forward(**call)


def pass_arguments(model, cache, context, tokens, logits_to_keep):
    place = torch.arange(context, context + len(tokens), device=tokens.device)
    call = {
        "input_ids": tokens[None],
        "position_ids": place[None],
        "past_key_values": cache,
        "use_cache": True,
        "logits_to_keep": logits_to_keep,
    }
    if "cache_position" in inspect.signature(type(model).forward).parameters:
        call["cache_position"] = place
    return call


def rewind(cache, context):
    """Back to `context` cached positions; a static cache is told through cache_position where it has no length."""
    if isinstance(cache, transformers.StaticCache):
        for layer in cache.layers:
            if hasattr(layer, "cumulative_length"):
                layer.cumulative_length.fill_(context)
    elif cache.get_seq_length() > context:
        cache.crop(context - cache.get_seq_length())


def measure(model, mode, context, positions, device, repeats):
    if mode == "compiled":
        length = -(-(context + positions) // CACHE_STEP) * CACHE_STEP
        cache = transformers.StaticCache(config=model.config, max_cache_len=length)
        forward = torch.compile(model.forward, mode="reduce-overhead", dynamic=False)
    else:
        cache = transformers.DynamicCache(config=model.config)
        forward = model.forward
    fill(model, cache, context, device)
    tokens = torch.arange(context, context + positions, device=device) % model.config.vocab_size
    call = pass_arguments(model, cache, context, tokens, logits_to_keep=0)
    with torch.no_grad():
        return time_repeats(
            lambda: forward(**call), lambda: rewind(cache, context), device, WARM_UP, repeats
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="8b")
    parser.add_argument("--contexts", default="1024,32768")
    parser.add_argument("--positions", default="1,64")
    parser.add_argument("--modes", default="eager,compiled")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--results", default="")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    results = Results(options.results, options.device)
    model = build_model(options.model, options.device, torch.bfloat16).eval()
    for context in map(int, options.contexts.split(",")):
        for positions in map(int, options.positions.split(",")):
            for mode in options.modes.split(","):
                fields = {"model": options.model, "mode": mode, "context": context, "positions": positions}
                if time.monotonic() > deadline:
                    results.not_measured("transformers", "out of time", **fields)
                    continue
                try:
                    milliseconds = measure(model, mode, context, positions, options.device, options.repeats)
                    results.measured("transformers", milliseconds, **fields)
                except Exception as error:  # a peer that fails is a result, too
                    results.not_measured("transformers", f"{type(error).__name__}: {str(error)[:300]}", **fields)
                forget()


if __name__ == "__main__":
    main()
