"""The fine-tuning job of `lorica bench finetune`, on Hugging Face PEFT and transformers.

Reads the job as JSON: a list of token id lists with masks, so that both sides train on exactly the same examples in
the same order. Prints one JSON object: seconds per step, losses, peak resident memory.

Padding is PEFT's usual way: each micro-batch is padded to its longest example.
"""

import argparse
import json
import resource
import time

START = time.time()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face directory")
    parser.add_argument("--job", required=True, help="JSON file written by lorica bench")
    parser.add_argument("--out", help="directory to save the adapter in")
    options = parser.parse_args()
    with open(options.job, encoding="utf-8") as file:
        job = json.load(file)

    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    dtype = {"bfloat16": torch.bfloat16, "float32": torch.float32}[job["dtype"]]
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype)
    model = get_peft_model(
        model,
        LoraConfig(
            r=job["rank"],
            lora_alpha=job["alpha"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    if job.get("adapter"):
        # The same first values on both sides: keys as in an adapter file.
        state = load_file(job["adapter"] + "/adapter_model.safetensors")
        own = dict(model.named_parameters())
        for key, value in state.items():
            own[key.replace(".weight", ".default.weight")].data.copy_(value)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=job["learning_rate"], weight_decay=0.0)
    model.train()

    examples = job["examples"]
    batch_size = job["batch_size"]
    losses, seconds, first_step = [], [], None
    for step in range(job["steps"]):
        began = time.time()
        rows = [examples[(step * batch_size + i) % len(examples)] for i in range(batch_size)]
        longest = max(len(row["tokens"]) for row in rows)
        ids = torch.zeros(batch_size, longest, dtype=torch.long)
        labels = torch.full((batch_size, longest), -100, dtype=torch.long)
        attention = torch.zeros(batch_size, longest, dtype=torch.long)
        for i, row in enumerate(rows):
            n = len(row["tokens"])
            ids[i, :n] = torch.tensor(row["tokens"])
            attention[i, :n] = 1
            labels[i, :n] = torch.tensor(
                [t if s else -100 for t, s in zip(row["tokens"], row["supervised"])]
            )
        loss = model(input_ids=ids, attention_mask=attention, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.time() - began)
        if first_step is None:
            first_step = time.time() - START
    if options.out:
        model.save_pretrained(options.out)
    print(
        json.dumps(
            {
                "losses": losses,
                "stepSeconds": seconds,
                "firstStepSeconds": first_step,
                "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
