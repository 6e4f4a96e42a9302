"""Times how long PEFT takes to put a fresh LoRA with a given start on all linear layers; peer of `lorica bench start`.

Prints one JSON object: seconds of each round, by value of init_lora_weights.
"""

import argparse
import json
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="Hugging Face directory")
    parser.add_argument("--starts", required=True, help="values of init_lora_weights, separated by commas")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(options.threads)
    seconds = {}
    for start in options.starts.split(","):
        seconds[start] = []
        for _ in range(options.rounds):
            # PEFT overwrites the weights, so that each round needs a model of its own.
            model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
            config = LoraConfig(
                r=options.rank, lora_alpha=options.rank, target_modules="all-linear", init_lora_weights=start)
            began = time.time()
            get_peft_model(model, config)
            seconds[start].append(time.time() - began)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
