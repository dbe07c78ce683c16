"""Writes a Hugging Face folder of a plain Llama (no scaled RoPE) as the lines that engine_check reads.

    python3 model_table.py FOLDER > table.txt

Needs the standard library only.
"""

import json
import pathlib
import struct
import sys


def shape_lines(config):
    if config.get("rope_scaling"):
        raise SystemExit("model_table.py: scaled RoPE is not supported here")
    heads = config["num_attention_heads"]
    fields = {
        "vocabulary_size": config["vocab_size"],
        "hidden_size": config["hidden_size"],
        "intermediate_size": config["intermediate_size"],
        "layers": config["num_hidden_layers"],
        "heads": heads,
        "kv_heads": config.get("num_key_value_heads", heads),
        "head_dim": config.get("head_dim") or config["hidden_size"] // heads,
        "context_length": config["max_position_embeddings"],
        "norm_epsilon": config["rms_norm_eps"],
        "rope_theta": config.get("rope_theta") or config["rope_parameters"]["rope_theta"],
        "tied_head": int(config.get("tie_word_embeddings", False)),
    }
    return [f"shape {name} {value!r}" for name, value in fields.items()]


def tensor_lines(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        yield " ".join(["tensor", name, entry["dtype"], str(path), str(begin), str(end), *map(str, entry["shape"])])


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: python3 model_table.py FOLDER")
    folder = pathlib.Path(sys.argv[1]).resolve()
    print("\n".join(shape_lines(json.loads((folder / "config.json").read_text()))))
    for path in sorted(folder.glob("*.safetensors")):
        print("\n".join(tensor_lines(path)))


if __name__ == "__main__":
    main()
