"""Times optimizer steps of a Llama in PyTorch, as training_bench times ours.

    python3 pytorch_training.py [--model 1b] [--rows 8] [--length 2048] [--modes eager,compiled]
                                [--seconds 200] [--results FILE]

f32 weights under bf16 autocast, SDPA, mean cross-entropy over every token after the first of a row, clipping at norm
1, fused AdamW. Rows that do not fit into memory at once are split into micro-batches, and the results say so.
"""

import argparse
import time

import torch

from peers import Results, build_model, forget, time_repeats

WARM_UP = 3


def training_step(model, forward, optimizer, rows, micro_rows, device):
    optimizer.zero_grad(set_to_none=True)
    for first in range(0, len(rows), micro_rows):
        micro = rows[first : first + micro_rows]
        with torch.autocast(device.split(":")[0], dtype=torch.bfloat16):
            loss = forward(input_ids=micro, labels=micro, use_cache=False).loss
        (loss * len(micro) / len(rows)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def measure(options, mode, micro_rows):
    model = build_model(options.model, options.device, torch.float32).train()
    forward = torch.compile(model.forward, dynamic=False) if mode == "compiled" else model.forward
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.0, fused=True)
    generator = torch.Generator().manual_seed(1)
    size = (options.rows, options.length)
    rows = torch.randint(0, model.config.vocab_size, size, generator=generator).to(options.device)
    return time_repeats(
        lambda: training_step(model, forward, optimizer, rows, micro_rows, options.device),
        lambda: None,
        options.device,
        WARM_UP,
        options.repeats,
    )


def measure_what_fits(options, mode):
    micro_rows = options.rows
    while True:
        try:
            return measure(options, mode, micro_rows), micro_rows
        except torch.OutOfMemoryError:
            if micro_rows == 1:
                raise
        # Here, because the exception holds what the failed try allocated.
        micro_rows = (micro_rows + 1) // 2
        forget()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="1b")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--modes", default="eager,compiled")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--results", default="")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    results = Results(options.results, options.device)
    for mode in options.modes.split(","):
        fields = {"model": options.model, "mode": mode, "rows": options.rows, "length": options.length}
        if time.monotonic() > deadline:
            results.not_measured("pytorch-training", "out of time", **fields)
            continue
        try:
            milliseconds, micro_rows = measure_what_fits(options, mode)
            results.measured("pytorch-training", milliseconds, **fields, microRows=micro_rows)
        except Exception as error:  # a peer that fails is a result, too
            results.not_measured("pytorch-training", f"{type(error).__name__}: {str(error)[:300]}", **fields)
        forget()


if __name__ == "__main__":
    main()
