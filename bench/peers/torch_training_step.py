"""Times one f32 training step of a Llama in PyTorch on the CPU: the shapes and batches of `msn bench train`.

    pip install torch==2.13.0 transformers
    python torch_training_step.py [--shape quickstart|135m] [--threads 2] [--repeats 10] [--json]

A step is forward, mean cross-entropy over every token after the first, backward, clipping at norm 1 and AdamW, eager
(no torch.compile), on rows of random tokens without padding.
"""

import argparse
import json
import platform
import statistics
import time

import torch
import transformers

SHAPES = {
    "quickstart": {
        "vocab_size": 128, "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 256,
        "rows": 16, "tokens": 83,
    },
    "135m": {
        "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
        "rows": 2, "tokens": 256,
    },
}  # fmt: skip


def build_model(shape, attention):
    fields = {key: value for key, value in shape.items() if key not in ("rows", "tokens")}
    config = transformers.LlamaConfig(**fields, tie_word_embeddings=True, use_cache=False)
    config._attn_implementation = attention
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config).float().train()


def training_step(model, optimizer, input_ids):
    optimizer.zero_grad(set_to_none=True)
    loss = model(input_ids=input_ids, labels=input_ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def measure(name, attention, warm_up, repeats):
    shape = SHAPES[name]
    model = build_model(shape, attention)
    matrices = [parameter for parameter in model.parameters() if parameter.dim() == 2]
    norms = [parameter for parameter in model.parameters() if parameter.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(1)
    size = (shape["rows"], shape["tokens"])
    milliseconds = []
    for repeat in range(warm_up + repeats):
        input_ids = torch.randint(0, shape["vocab_size"], size, generator=generator)
        started = time.perf_counter()
        training_step(model, optimizer, input_ids)
        if repeat >= warm_up:
            milliseconds.append(1000 * (time.perf_counter() - started))
    median = statistics.median(milliseconds)
    return {
        "shape": name,
        "attention": attention,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "rows": shape["rows"],
        "tokensPerRow": shape["tokens"],
        "repeats": repeats,
        "minMs": min(milliseconds),
        "medianMs": median,
        "maxMs": max(milliseconds),
        "tokensPerSecond": 1000 * shape["rows"] * shape["tokens"] / median,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, action="append", help="default: every shape")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = [
        measure(name, options.attention, options.warm_up, options.repeats) for name in options.shape or SHAPES
    ]
    if options.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version()}
        print(json.dumps({**versions, "threads": options.threads, "results": results}, indent=2))
        return
    for result in results:
        print(
            f"{result['shape']}: {result['parameters']:,} parameters, {result['rows']} x {result['tokensPerRow']} tokens,"
            f" {result['attention']}: median {result['medianMs']:.1f} ms a step"
            f" (min {result['minMs']:.1f}, max {result['maxMs']:.1f}), {result['tokensPerSecond']:.0f} tokens/s"
        )


if __name__ == "__main__":
    main()
