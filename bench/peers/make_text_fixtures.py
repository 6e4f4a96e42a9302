"""Renders chat templates with transformers' own renderer, as the reference for ChatTemplateTest.

    python bench/peers/make_text_fixtures.py --out model/src/test/resources/chat

The templates follow the shapes of public chat models and use the Jinja that such templates use, in our own words
where they are not tiny. Made with transformers 5.23 and jinja2 3.1; written file: templates.json.
"""

import argparse
import json
import pathlib

import jinja2
import transformers
from transformers.utils.chat_template_utils import render_jinja_template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\\n' }}"
    "{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set turns = messages[1:] %}{% set system = messages[0]['content'] %}"
    "{% else %}{% set turns = messages %}{% set system = false %}{% endif %}"
    "{% for m in turns %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}"
    "{% if loop.index0 == 0 and system != false %}"
    "{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m['content'] %}"
    "{% else %}{% set content = m['content'] %}{% endif %}"
    "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)

LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)

LLAMA32 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message goes into the first block. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("After the optional system message, roles must alternate") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- elif message == user_messages[-1] %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST]" ~ " " ~ message.content ~ "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported!") }}
    {%- endif %}
{%- endfor %}
"""

QWEN25 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- message.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"
)

# One construct a template, so that a failure names it.
SMALL = {
    "namespace": "{% set ns = namespace(n=0, found=false) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set ns.n = ns.n + 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.n }} {{ ns.found }}",
    "loop_scope": "{% set last = 'none' %}{% for m in messages %}{% set last = m.role %}{% endfor %}{{ last }}",
    "negative_index": "{{ messages[-1]['content'] }}|{{ messages[-1].role }}",
    "slices": "{{ messages[1:]|length }}{{ messages[:-1]|length }}{{ messages[-2:]|length }}{% for m in messages[::-1] %}{{ m.role }}{% endfor %}",
    "string_slice": "{{ messages[0].role[:2] }}{{ messages[0].role[1:] }}{{ messages[0].role[:-1] }}",
    "is_defined": "{{ nothing is defined }}{{ messages is defined }}{{ messages[0].name is defined }}{{ nothing is undefined }}",
    "is_none": "{% set a = none %}{{ a is none }}{{ a is not none }}{{ messages is none }}",
    "undefined_is_empty": "a{{ nothing }}b{% if nothing %}c{% endif %}{% if not nothing %}d{% endif %}",
    "default": "{{ nothing | default('x') }}{{ nothing | default('y', true) }}{{ '' | default('z', true) }}{{ '' | default('w') }}",
    "inline_if": "{{ 'yes' if add_generation_prompt else 'no' }}{{ 'only' if messages|length > 50 }}",
    "tilde": "{{ 'a' ~ 1 ~ messages[0].role }}",
    "in": "{{ 'role' in messages[0] }}{{ 'name' not in messages[0] }}{{ 'a' in 'cat' }}{{ 'user' in ['user', 'x'] }}",
    "string_methods": "{{ ' xAy '.strip() }}|{{ 'xxay'.lstrip('x') }}|{{ 'ayy'.rstrip('y') }}|{{ 'aB'.upper() }}|{{ 'aB'.lower() }}|"
    "{{ 'a,b,c'.split(',')[1] }}|{{ 'aba'.replace('a', 'x') }}|"
    "{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith('bc') }}|{{ 'abcabc'.find('c') }}|{{ 'a-b'.split('-') | join('+') }}|"
    "{{ ' a  b '.split() | length }}|{{ 'aXbXc'.split('X', 1)[1] }}|{{ 'banana'.count('an') }}",
    "split_edges": "{{ 'a,,b,'.split(',') | length }}{{ ''.split(',') | length }}{{ 'a.b'.split('.') | length }}",
    "items": "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}",
    "get": "{{ messages[0].get('role') }}{{ messages[0].get('name', 'none') }}{{ messages[0]['name'] }}",
    "loop_facts": "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}"
    "{{ loop.revindex }}{{ loop.revindex0 }};{% endfor %}",
    "loop_filter": "{% for m in messages if m.role != 'system' %}{{ m.role }}{{ loop.index }}{% endfor %}",
    "loop_break": "{% for m in messages %}{% if loop.index == 2 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "loop_continue": "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
    "macro": "{% macro turn(m, end='!') %}[{{ m.role }}: {{ m.content }}{{ end }}]{% endmacro %}{{ turn(messages[0]) }}{{ turn(messages[-1], end='?') }}",
    "tojson": "{{ messages[0] | tojson }}{{ 'a\"b<é' | tojson }}{{ [1, true, none] | tojson }}",
    "tojson_indent": "{{ {'a': [1, 2], 'b': {}} | tojson(indent=2) }}",
    "comments": "a{# hidden #}b\n{# line #}\nc",
    "trim_blocks": "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "lstrip_blocks": "a\n    {% if true %}\n    b\n    {% endif %}\nc {% if true %} d {% endif %} e\n",
    "dashes": "a \n {%- if true -%} \n b \n {%- endif -%} \n c {{- 'x' -}} \n d",
    "plus_signs": "a\n  {%+ if true %}b{% endif +%}\nc",
    "expression_newline": "{{ 'a' }}\n{{ 'b' }}\n\nc\n",
    "trailing_newlines": "a\n\n",
    "raw": "{% raw %}{{ not rendered }}{% endraw %}",
    "set_block": "{% set x %}a {{ messages[0].role }}{% endset %}[{{ x }}]",
    "filters": "{{ ' a ' | trim }}{{ 'a' | upper }}{{ ['x', 'y'] | join(', ') }}{{ messages | map(attribute='role') | join(',') }}"
    "{{ [3, 1, 2] | sort | first }}{{ [1, 2] | last }}{{ 'abc' | length }}{{ 'abc' | replace('b', '-') }}{{ '7' | int + 1 }}",
    "selectattr": "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
    "{{ messages | rejectattr('role', 'equalto', 'system') | map(attribute='role') | list | join(',') }}",
    "arithmetic": "{{ 7 // 2 }} {{ 7 % 3 }} {{ 2 * 3 + 1 }} {{ 1 + 2 * 3 }} {{ 2 ** 3 }} {{ 7 / 2 }}",
    "precedence": "{{ 'a' + 'b' | upper }}{{ 1 if not false and false else 2 }}{{ (1 == 1) != (2 == 3) }}{{ 1 if 'x' in 'xy' and not 'z' in 'xy' else 2 }}{{ 1 if not nothing is defined else 2 }}{{ 1 if not messages is defined else 2 }}",
    "booleans": "{{ true }}{{ false }}{{ True }}{{ False }}{{ 1 == 1.0 }}",
    "truth": "{% if '' %}a{% endif %}{% if [] %}b{% endif %}{% if 0 %}c{% endif %}{% if messages[0].content %}d{% endif %}{% if {} %}e{% endif %}{% if '0' %}f{% endif %}",
    "escapes": "{{ 'a\\tb\\nc\\\\d' }}{{ \"it's\" }}{{ 'say \"hi\"' }}{{ 'it\\'s' }}",
    "dict_literal": "{% set d = {'a': 1, 'b': 'x'} %}{{ d.a }}{{ d['b'] }}{{ d | length }}",
    "list_concat": "{% set l = [1] + [2, 3] %}{{ l | length }}{{ l[2] }}",
    "range": "{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(1, 6, 2) %}{{ i }}{% endfor %}",
    "is_tests": "{{ 'a' is string }}{{ 1 is number }}{{ [1] is iterable }}{{ {'a': 1} is mapping }}{{ [1] is sequence }}{{ true is boolean }}{{ 3 is odd }}"
    "{{ 'a' is mapping }}{{ messages[0] is mapping }}{{ messages[0].content is string }}{{ true is true }}{{ 4 is divisibleby 2 }}",
    "elif": "{% if messages|length == 1 %}one{% elif messages|length == 2 %}two{% else %}many{% endif %}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    "nested_loops": "{% for m in messages %}{% for c in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "print_list": "{{ ['a', 1, true, none] }}",
    "print_dict": "{{ {'a': 'b'} }}",
    "print_float": "{{ 1.5 }} {{ 2.0 }} {{ 10 / 4 }}",
    "multiline_expression": "{{ 'a'\n   + 'b' }}",
    "unicode": "{{ 'é😀' }}{{ 'é😀' | length }}",
    "indent": "{{ 'a\\nb' | indent(2) }}",
    "unique_loop_var": "{% for role, content in [('a', 'b'), ('c', 'd')] %}{{ role }}{{ content }}{% endfor %}",
    "dictsort": "{% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}{{ v }}{% endfor %}",
    "compare": "{{ 'b' > 'a' }}{{ 2 >= 2 }}{{ 1 < 2 }}{{ 'a' != 'b' }}",
    "empty_content": "{{ messages[0].content + '' }}{% if messages[0].content == '' %}empty{% endif %}",
    "do_nothing": "plain text with { braces } and % signs # here",
}

CONVERSATIONS = {
    "one": [{"role": "user", "content": "What is 2 + 2?"}],
    "turns": [
        {"role": "user", "content": "Hi there "},
        {"role": "assistant", "content": " Hello!\n"},
        {"role": "user", "content": "Tell me {{ 7 * 7 }} {% raw %} jokes \u00e9\U0001f600 <b>&amp;</b> \\n 'x' \"y\""},
    ],
    "system": [
        {"role": "system", "content": "  Be brief.\n"},
        {"role": "user", "content": "\nWhy?\n"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nBecause."},
    ],
    "empty": [{"role": "user", "content": ""}],
    "false": [{"role": "user", "content": "false"}],
    "wrong_order": [{"role": "assistant", "content": "12"}, {"role": "user", "content": "34"}],
}


def render(template, messages, prompt):
    try:
        texts, _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=prompt, **TOKENS)
        return {"text": texts[0]}
    except jinja2.exceptions.TemplateError as error:
        return {"error": str(error)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    models = {
        "chatml": CHATML, "smollm2": SMOLLM2, "llama2": LLAMA2, "llama3": LLAMA3, "llama32": LLAMA32,
        "mistral": MISTRAL, "qwen25": QWEN25, "qwen3": QWEN3, "zephyr": ZEPHYR, "gemma": GEMMA,
    }
    cases = []
    for name, template in models.items():
        for conversation in CONVERSATIONS:
            for prompt in (False, True):
                cases.append((name, template, conversation, prompt))
    for name, template in SMALL.items():
        for conversation in ("turns", "empty", "false"):
            cases.append((name, template, conversation, True))
    rows = [
        {"name": name, "conversation": conversation, "add_generation_prompt": prompt}
        | render(template, CONVERSATIONS[conversation], prompt)
        for name, template, conversation, prompt in cases
    ]
    document = {
        "made_with": "transformers " + transformers.__version__ + ", jinja2 " + jinja2.__version__,
        "tokens": TOKENS,
        "conversations": CONVERSATIONS,
        "templates": models | SMALL,
        "cases": rows,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "templates.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
