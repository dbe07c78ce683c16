"""What the PyTorch side of gpu:bench shares: shapes, timing, lines of results."""

import gc
import json
import statistics
import time

import torch
import transformers

# Llama 3.2 1B and Llama 3.1 8B; "tiny" to try the scripts on a CPU. The same as shape_of() in program.cc.
SHAPES = {
    "1b": {"vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
           "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "tie_word_embeddings": True},
    "8b": {"vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
           "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": False},
    "tiny": {"vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True},
}  # fmt: skip


def build_model(name, device, dtype):
    config = transformers.LlamaConfig(
        **SHAPES[name],
        max_position_embeddings=131072,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return transformers.LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)


def synchronize(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def time_repeats(run, between, device, warm_up, repeats):
    """Milliseconds of each of `repeats` runs, from the host's call until the device is done."""
    milliseconds = []
    for repeat in range(warm_up + repeats):
        between()
        synchronize(device)
        started = time.perf_counter()
        run()
        synchronize(device)
        if repeat >= warm_up:
            milliseconds.append(1000 * (time.perf_counter() - started))
    return milliseconds


def forget():
    """Gives back what the last measurement held: compiled code with its graphs, modules in cycles, cached memory."""
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def device_name(device):
    return torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"


class Results:
    """Appends a JSON object a line, as Record in program.cc does."""

    def __init__(self, path, device):
        self.path = path
        self.common = {
            "deviceName": device_name(device),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def _write(self, fields):
        if self.path:
            with open(self.path, "a") as file:
                file.write(json.dumps({**fields, **self.common}) + "\n")

    def measured(self, kind, milliseconds, **fields):
        median = statistics.median(milliseconds)
        self._write({
            "kind": kind, **fields, "medianMs": median, "lowestMs": min(milliseconds),
            "highestMs": max(milliseconds), "repeats": len(milliseconds),
        })  # fmt: skip
        what = ", ".join(f"{name} {value}" for name, value in fields.items())
        print(f"{kind}: {what}: median {median:.3f} ms ({min(milliseconds):.3f} to {max(milliseconds):.3f})", flush=True)

    def not_measured(self, kind, reason, **fields):
        self._write({"kind": kind, **fields, "notMeasured": reason})
        what = ", ".join(f"{name} {value}" for name, value in fields.items())
        print(f"{kind}: {what}: not measured: {reason}", flush=True)
