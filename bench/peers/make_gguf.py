"""Writes a Hugging Face folder of a BF16 Llama model as a BF16 GGUF file for llama.cpp, bit for bit the same weights.

    pip install gguf numpy
    python make_gguf.py MODEL_FOLDER OUT.gguf [--pre-tokenizer smollm]

For one model.safetensors with tied or untied head, and byte-level BPE in tokenizer.json. Matrices stay bfloat16, norms
become float32 (llama.cpp wants them so). The rows of the query and key projections are reordered: llama.cpp rotates
neighbouring pairs (2i, 2i + 1) of a head, Hugging Face the halves (i, i + head_dim / 2).
"""

import argparse
import json
import os
import struct

import gguf
import numpy as np

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
MODEL_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def read_json(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def read_bfloat16_tensors(path):
    """Yields (name, bits): the 16 bits of each value as uint16, shaped as stored."""
    with open(path, "rb") as file:
        header_bytes = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(header_bytes))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "BF16":
            raise SystemExit(f"{path}: {name} is {entry['dtype']}, expected BF16")
        begin, end = entry["data_offsets"]
        bits = np.fromfile(path, np.uint16, count=(end - begin) // 2, offset=8 + header_bytes + begin)
        yield name, bits.reshape(entry["shape"])


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem in MODEL_NAMES:
        return f"{MODEL_NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[part]}.{kind}"


def reorder_for_rope(weight, heads):
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def add_shape(writer, config):
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(theta)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)


def add_tokenizer(writer, folder, config, pre_tokenizer):
    tokenizer = read_json(folder, "tokenizer.json")
    settings = read_json(folder, "tokenizer_config.json")
    tokens = [None] * config["vocab_size"]
    types = [gguf.TokenType.NORMAL] * config["vocab_size"]
    for token, index in tokenizer["model"]["vocab"].items():
        tokens[index] = token
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = gguf.TokenType.CONTROL
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(settings["chat_template"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_folder")
    parser.add_argument("out_file")
    parser.add_argument("--pre-tokenizer", default="smollm", help="llama.cpp's name for the model's text splitting")
    options = parser.parse_args()

    config = read_json(options.model_folder, "config.json")
    if config["model_type"] != "llama":
        raise SystemExit(f"{options.model_folder}: model_type is {config['model_type']}, expected llama")
    writer = gguf.GGUFWriter(options.out_file, "llama")
    add_shape(writer, config)
    add_tokenizer(writer, options.model_folder, config, options.pre_tokenizer)
    for name, bits in read_bfloat16_tensors(os.path.join(options.model_folder, "model.safetensors")):
        if bits.ndim == 1:
            values = (bits.astype(np.uint32) << 16).view(np.float32)
            writer.add_tensor(gguf_name(name), values)
            continue
        if name.endswith("q_proj.weight"):
            bits = reorder_for_rope(bits, config["num_attention_heads"])
        elif name.endswith("k_proj.weight"):
            bits = reorder_for_rope(bits, config["num_key_value_heads"])
        raw = np.ascontiguousarray(bits).view(np.uint8)
        writer.add_tensor(gguf_name(name), raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{options.out_file}: {os.path.getsize(options.out_file):,} bytes")


if __name__ == "__main__":
    main()
