"""Serves many LoRA adapters with Hugging Face PEFT behind /v1/completions, for `lorica bench serve`.

PEFT has no server. This one does with its library what its documentation offers for several adapters: batches of
requests with different adapters by `adapter_names`. Whoever waits when a batch ends is in the next one; a batch ends
with its longest answer, since `generate` takes no newcomers. Tokens are sent as they are made.
"""

import argparse
import http.server
import json
import os
import queue
import select
import socket
import threading

BATCH = 16


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapters", required=True, help="folder of the PEFT folders a0, a1 ...")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    return parser.parse_args()


class Job:
    def __init__(self, body):
        self.adapter = body["model"]
        self.prompt = body["prompt"]
        self.limit = body["max_tokens"]
        self.tokens = queue.SimpleQueue()  # a token id each; None at the end
        self.gone = False  # whoever asked no longer listens


class Engine:
    def __init__(self, args):
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(args.threads)
        self.torch = torch
        base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.bfloat16)
        names = [f"a{i}" for i in range(args.count)]
        model = PeftModel.from_pretrained(base, os.path.join(args.adapters, names[0]), adapter_name=names[0],
                                          autocast_adapter_dtype=False, low_cpu_mem_usage=True)
        for name in names[1:]:
            model.load_adapter(os.path.join(args.adapters, name), adapter_name=name,
                               autocast_adapter_dtype=False, low_cpu_mem_usage=True)
        self.model = model.to(torch.bfloat16).eval()
        self.waiting = queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            jobs = [self.waiting.get()]
            while len(jobs) < BATCH and not self.waiting.empty():
                jobs.append(self.waiting.get())
            jobs = [job for job in jobs if not job.gone]
            if jobs:
                self.answer(jobs)

    def answer(self, jobs):
        torch = self.torch
        longest = max(len(job.prompt) for job in jobs)
        ids = torch.tensor([[0] * (longest - len(job.prompt)) + job.prompt for job in jobs])
        mask = torch.tensor([[0] * (longest - len(job.prompt)) + [1] * len(job.prompt) for job in jobs])

        def each_step(so_far, scores, **_):
            made = so_far.shape[1] - longest
            for job, row in zip(jobs, so_far.tolist()):
                if made <= job.limit:
                    job.tokens.put(row[-1])
                if made == job.limit:
                    job.tokens.put(None)
            return torch.tensor([job.gone or made >= job.limit for job in jobs])

        with torch.inference_mode():
            self.model.generate(input_ids=ids, attention_mask=mask, adapter_names=[job.adapter for job in jobs],
                                max_new_tokens=max(job.limit for job in jobs), do_sample=False, eos_token_id=-1,
                                pad_token_id=0, stopping_criteria=[each_step])


def handler(engine):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def do_POST(self):
            job = Job(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            engine.waiting.put(job)
            try:
                self.answer(job)
            except ConnectionError:
                job.gone = True

        def answer(self, job):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            count = 0
            while (token := self.next(job)) is not None:
                count += 1
                self.event({"choices": [{"text": str(token)}]})
            self.event({"choices": [], "usage": {"completion_tokens": count}})
            self.wfile.write(b"data: [DONE]\n\n")

        def next(self, job):
            """The next token; looks now and then whether the client is still there."""
            while True:
                try:
                    return job.tokens.get(timeout=0.5)
                except queue.Empty:
                    if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                        job.gone = True
                        raise ConnectionAbortedError from None

        def event(self, value):
            self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
            self.wfile.flush()

    return Handler


def main():
    args = arguments()
    engine = Engine(args)
    http.server.ThreadingHTTPServer(("127.0.0.1", args.port), handler(engine)).serve_forever()


if __name__ == "__main__":
    main()
