"""What jinja2, set up as transformers sets it up, renders for small pieces and for chat templates in the manner of known families.

Usage: python jinja_cases.py OUTPUT.json [FOLDER_OF_MORE_TEMPLATES]
Writes {"contexts": [...], "cases": [[source, context number, text or null for an error], ...]}.
"""
import glob
import json
import os
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Weather of a \"city\" <now> & later's", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "Köln, 北京"}, "n": {"type": "number", "default": 1.50}}, "required": ["city"]}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "call123ab", "function": {"name": "weather", "arguments": {"city": "Köln", "n": 2}}}]}
BASE = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True, "tools": None, "documents": None}


def conversation(*messages, **more):
    return {**BASE, "messages": list(messages), **more}


def m(role, content, **more):
    return {"role": role, "content": content, **more}


CONTEXTS = [
    {"a": [3, 1, 2], "s": " Hello, Wörld \n", "d": {"b": 1, "a": [1, 2.0, None, True, "x'y"], "c": {"z": "\u00e9"}}, "n": None, "t": True, "f": 2.5,
     "rows": [{"k": "B", "v": 2}, {"k": "a", "v": 1}, {"k": "B", "v": 3}], "words": ["b", "A", "c", "a"], "e": "", "emoji": "a👍🏽é\u0301z", "big": 12345678901234567},
    conversation(m("user", "Hi")),
    conversation(m("system", "Be {{ kind }}."), m("user", " Hello\n"), m("assistant", "Hey 你好"), m("user", "bye")),
    conversation(m("user", "1"), m("assistant", "<think>\nso\n</think>\n\n2"), m("user", "3"), m("assistant", "<think>x</think>4"), add_generation_prompt=False),
    conversation(m("user", "Weather?"), CALL, m("tool", "21.5 °C", name="weather", tool_call_id="call123ab"), m("assistant", "It is 21.5."), tools=TOOLS),
    conversation(m("system", "S"), m("user", "a"), CALL, m("tool", "x"), m("tool", "y"), tools=TOOLS, enable_thinking=False),
    conversation(m("user", "a"), m("user", "b")),
    conversation(m("user", ""), m("assistant", ""), add_generation_prompt=False),
    conversation(m("user", [{"type": "text", "text": "part one"}, {"type": "text", "text": " two"}])),
    conversation(m("assistant", "first")),
    conversation(m("user", "q"), m("assistant", "a", reasoning_content="because"), m("user", "r"), enable_thinking=True, builtin_tools=["x"]),
]

PIECES = r"""
{{ s }}|{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip('\n ') }}|{{ s.upper() }}|{{ s.title() }}|{{ 'abcABC'.capitalize() }}|{{ 'aXb'.swapcase() }}
{{ s.split() }}{{ 'a,b,,c'.split(',') }}{{ 'a b  c d'.split(' ', 1) }}{{ 'a b c'.rsplit(' ', 1) }}{{ ' a  b c '.split(None, 1) }}{{ 'x'.split('x') }}
{{ s.startswith(' H') }}{{ s.endswith('\n') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.find('c') }}{{ 'abcabc'.rfind('b') }}{{ 'aaa'.count('a') }}{{ 'abc'.find('z') }}
{{ 'abc'.replace('b', 'xx') }}{{ 'aaa'.replace('a', 'b', 2) }}{{ 'abc'.replace('', '-') }}{{ '-'.join(['a', 'b']) }}{{ 'a\nb\r\nc'.splitlines() }}
{{ '12'.isdigit() }}{{ 'ab'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ 'AB'.isupper() }}{{ 'ab'.islower() }}{{ 'x'.zfill(3) }}{{ 'x'.ljust(3) }}|{{ 'x'.rjust(3, '.') }}
{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.txt'.removesuffix('.txt') }}{{ '{} {1} {k}'.format('a', 'b', k='c') if false else 'x' }}{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}
{{ emoji }}{{ emoji|length }}{{ emoji[1] }}{{ emoji[::-1] }}{{ emoji[1:3] }}{{ emoji|upper }}{{ 'straße'.upper() }}{{ 'ΑΣ'.lower() }}
{{ a }}{{ a|sort }}{{ a|sort(reverse=true) }}{{ a|first }}{{ a|last }}{{ a|length }}{{ a|sum }}{{ a|max }}{{ a|min }}{{ a|reverse|list }}{{ a|join('-') }}
{{ a[0] }}{{ a[-1] }}{{ a[1:] }}{{ a[:-1] }}{{ a[::-1] }}{{ a[5:] }}{{ a[:0] }}{{ a[-100:100] }}{{ a[::2] }}{{ a + [4] }}{{ [0] * 3 }}{{ 'ab' * 2 }}
{{ d }}{{ d.a }}{{ d['a'][4] }}{{ d.get('zz') }}{{ d.get('zz', 5) }}{{ d.items()|list }}{{ d.keys()|list }}{{ d|length }}{{ d.c.z }}{{ d['c']['z'] }}
{{ d|tojson }}{{ d|tojson(indent=2) }}{{ d|tojson(indent=4) }}{{ s|tojson }}{{ n|tojson }}{{ [1, 2.0, 1e-7, 1e20, 0.1]|tojson }}{{ "<&'\">"|tojson }}{{ {}|tojson(indent=2) }}{{ []|tojson(indent=2) }}
{% for k, v in d.items() %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}:{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}{{ v }} {% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for x in [] %}x{% else %}none{% endfor %}{% for x in a if x > 1 %}{{ x }}{{ loop.index }}{% else %}no{% endfor %}
{% for x in range(10) %}{% if x == 3 %}{% continue %}{% endif %}{% if x == 6 %}{% break %}{% endif %}{{ x }}{% endfor %}{{ range(2, 10, 3)|list }}{{ range(5, 0, -2)|list }}
{% set x = 1 %}{% for i in a %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}{% set ns = namespace(x=1, l=[]) %}{% for i in a %}{% set ns.x = ns.x + i %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.x }}{{ ns.l }}
{% if t and not n %}yes{% elif t %}no{% else %}never{% endif %}{{ 'a' if t else 'b' }}{{ 'a' if not t }}{{ n or 'x' }}{{ e or n }}{{ t and f }}{{ not t }}{{ not not t }}
{{ 1 + 2 * 3 - 4 / 2 }}{{ 7 // 2 }}{{ -7 // 2 }}{{ 7 % 3 }}{{ -7 % 3 }}{{ 2 ** 10 }}{{ 2 ** -1 }}{{ -2 ** 2 }}{{ 1.5 + 1 }}{{ 10 / 4 }}{{ 3.0 }}{{ 1e3 }}{{ 1_000 }}{{ 7.5 // 2 }}{{ big * 10 }}
{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 'a' < 'b' }}{{ 1 == 1.0 }}{{ '1' == 1 }}{{ n == none }}{{ 'l' in s }}{{ 3 in a }}{{ 9 not in a }}{{ 'b' in d }}{{ true == 1 }}{{ [1] == [1] }}{{ {'a': 1} == {'a': 1} }}
{{ 'a' ~ 1 ~ none ~ 2.0 ~ true }}{{ 'x' 'y' }}{{ "it's" }}{{ 'say "hi"' }}{{ ['it\'s', "say \"hi\"", 'both\'"', 'tab\t', '\\'] }}{{ (1, 'a') }}{{ (1,) }}{{ () }}{{ [none, true, 1.0] }}
{{ n is none }}{{ n is not none }}{{ zz is defined }}{{ zz is not defined }}{{ zz is undefined }}{{ s is string }}{{ a is iterable }}{{ d is mapping }}{{ a is sequence }}{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ t is boolean }}{{ t is true }}{{ 1 is true }}{{ false is false }}
{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(4) }}{{ 1 is in [1] }}{{ 1 is eq 1 }}{{ 1 is ne 2 }}{{ 2 is gt 1 }}{{ 2 is le(1) }}{{ 'a' is lower }}{{ 'A' is upper }}{{ 2 is sameas 2 }}{{ s is callable }}
{{ zz }}{{ zz|default('d') }}{{ e|default('d') }}{{ e|default('d', true) }}{{ n|default('d') }}{{ zz|d(1) }}{{ d.missing }}{{ d.missing is defined }}{{ d.missing|default('q') }}
{{ ' x '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 'Ab'|lower }}{{ 'Ab'|upper }}{{ 'ab cd'|title }}{{ 'ab CD'|capitalize }}{{ 'a b c'|wordcount }}{{ 'abc'|list }}{{ 'abc'|first }}{{ 'abc'|last }}{{ 'abc'|reverse }}
{{ '5'|int }}{{ 'x'|int }}{{ 'x'|int(7) }}{{ 3.9|int }}{{ '3.7'|int }}{{ '2.5'|float }}{{ 'q'|float }}{{ 3|float }}{{ -3|abs }}{{ 2.567|round(2) }}{{ 2.5|round }}{{ 2.1|round(0, 'ceil') }}{{ 2.9|round(method='floor') }}{{ 12|string + 'x' }}
{{ rows|map(attribute='k')|list }}{{ rows|map(attribute='zz', default='-')|list }}{{ words|map('upper')|list }}{{ rows|selectattr('v', 'gt', 1)|list|length }}{{ rows|selectattr('k', 'equalto', 'B')|map(attribute='v')|list }}{{ rows|rejectattr('v', 'eq', 1)|map(attribute='v')|list }}
{{ rows|selectattr('zz', 'defined')|list }}{{ a|select('odd')|list }}{{ a|reject('odd')|list }}{{ [0, 1, '', 'x']|select|list }}{{ words|sort }}{{ words|sort(case_sensitive=true) }}{{ rows|sort(attribute='v')|map(attribute='k')|join(',') }}{{ words|unique|list }}{{ rows|sum(attribute='v') }}
{% for g in rows|groupby('k') %}{{ g[0] }}:{{ g[1]|length }};{% endfor %}{{ [1, 2, 3, 4, 5]|batch(2)|list }}{{ [1, 2, 3]|batch(2, 0)|list }}{{ [1, 2, 3, 4, 5]|slice(2)|list }}{{ rows|join(', ', attribute='v') }}{{ a|join }}
{{ 'a\nb\n\nc'|indent }}{{ 'a\nb'|indent(2, true) }}{{ 'a\n\nb'|indent(1, blank=true) }}{{ 'aaaa bbbb cccc dddd'|truncate(12) }}{{ 'x<y'|e }}{{ 'abc'|replace('b', 'c') }}{{ 'x'|center(5) }}|{{ '%s-%d'|format('a', 3) }}{{ '%s=%s' % ('a', 1) }}
{% macro greet(name, mark='!') %}Hi {{ name }}{{ mark }}{% endmacro %}{{ greet('A') }}{{ greet('B', mark='?') }}{% macro rec(n) %}{{ n }}{% if n > 0 %}{{ rec(n - 1) }}{% endif %}{% endmacro %}{{ rec(3) }}{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, z=3) }}
{% macro box() %}[{{ caller() }}]{% endmacro %}{% call box() %}inside{% endcall %}{% set block %}text {{ 1 }}{% endset %}{{ block }}{% set up | upper %}abc{% endset %}{{ up }}{% filter upper %}shout{% endfilter %}{% with q = 5, r = 6 %}{{ q + r }}{% endwith %}{{ q is defined }}
{% raw %}{{ not }} {% this %}{% endraw %}{# a comment #}after{#- tight -#}   x{{- ' y' -}}   z{%- if t -%}   in   {%- endif -%}   out
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = (a, b) %}{{ c }}{% set x = [1, 2, 3] %}{{ x[1:] }}{{ x|length }}{{ {'k': 1, 'j': [2]}['j'][0] }}{{ {1: 'a'} }}{{ [[1, 2], [3]]|sum(start=[]) if false else 'z' }}
{{ loop is defined }}{% for x in 'ab' %}{{ x }}{{ loop.previtem is defined }}{{ loop.nextitem|default('end') }}{{ loop.cycle('o', 'e') }}{{ loop.changed(x) }}{% endfor %}{% for x in [1, 2] %}{% for y in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{{ raise_exception('stop ' ~ 1) }}
{{ 1 / 0 }}
{{ n.x.y }}
{{ zz.y }}
{{ zz() }}
{{ 'a' + 1 }}
{{ a.append(4) }}
{% set d.x = 1 %}
{% for x in 5 %}{% endfor %}
{{ 'abc'|nofilter }}
{{ 1 is notatest }}
{% nostatement %}
{{ unclosed
{% if t %}
{{ 'unclosed }}
{{ }}
{{ 1 + }}
{{ range(1000000) }}
{% generation %}said{% endgeneration %}{{ dict(a=1)|tojson }}{{ dict({'x': 1}, y=2) }}{{ 'a' if true else zz.y }}{{ zz is defined and zz.y }}{{ ("a" "b")|upper }}{{ (1 + 2)|string ~ 'x' }}{{ -1|abs }}{{ 'x' if 1 > 2 else 'y' if 2 > 1 else 'z' }}
{{ a|length > 2 and a[0] == 3 }}{{ not a is string }}{{ 'x' is string and t }}{{ a is not mapping }}{{ 'b' not in 'abc' }}{{ (a|first) + 1 }}{{ a|map('string')|join('') }}{{ d.a|map('string')|list }}{{ s|trim|length }}{{ words[0].upper() ~ words[-1] }}
{% for x in [[1, [2, [3]]], [4]] recursive %}{{ loop.depth }}{{ loop.depth0 }}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{{ ',' if not loop.last }}{% endfor %}
{% for t in [{'n': 'a', 'c': [{'n': 'b', 'c': []}, {'n': 'd', 'c': [{'n': 'e', 'c': []}]}]}] recursive %}<{{ t.n }}{% if t.c %}{{ loop(t.c) }}{% endif %}>{% else %}none{% endfor %}{% for x in [1] %}{{ loop([2]) }}{% endfor %}
{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 5]) }}{{ m(**{'a': 3}) }}{{ m(1, *[4]) }}{{ m(1, **{'b': 7}) }}{{ dict(x=1, **{'y': 2}) }}{% set ms = [m] %}{{ ms[0](*[8, 9]) }}
{% macro show(items, pad) %}{% for i in items %}{% call wrap(i) %}{{ pad }}{{ i }}{% set q = i %}{{ q }}{{ caller is defined }}{% endcall %}{% endfor %}{% endmacro %}{% macro wrap(v) %}[{{ v }}:{{ caller() }}]{% endmacro %}{{ show([1, 2], '-') }}
{% macro late() %}{{ later }}{{ inner is defined }}{% endmacro %}{% set later = 'set after' %}{% for inner in [1] %}{{ late() }}{% endfor %}{% macro list(rows) %}{% for r in rows %}{{ caller(r, loop.index) }};{% endfor %}{% endmacro %}{% call(row, n) list(['x', 'y']) %}{{ n }}={{ row }}{% endcall %}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{% call m(1) %}x{% endcall %}
{% macro m(a) %}{{ a }}{{ kwargs }}{{ varargs }}{% endmacro %}{{ m(1, 2, z=3) }}{{ m() }}{{ m.name }}
{% set x = 1 %}{% set b %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ b }}{% filter upper %}{% set x = 3 %}a{{ x }}{% endfilter %}{{ x }}{% generation %}{% set x = 4 %}{{ x }}{% endgeneration %}{{ x }}{% with x = 5, y = x %}{{ x }}{{ y }}{% endwith %}
{{ a|map('string') is iterable }}{{ a|map('string') is sequence }}{{ a|select('odd')|first }}{% if []|select %}true{% endif %}{{ (a|reverse)|list }}{{ none|select|list }}{{ none|map('upper')|list }}{{ 0|selectattr('x')|list }}{% set g = a|map('int') %}{{ g|list }}{{ g|list }}{{ g|first is defined }}
{{ a|map('string')|length }}
{{ a|select|last }}
{{ (a|map('int'))[0] is defined }}{{ d.items()[0] is defined }}{{ d.keys() }}{{ d.values()|list|length }}{{ d.items()|length }}{{ range(3) }}{{ range(1, 9, 2) }}{{ range(5)[2] }}{{ range(5)[1:3]|list }}{{ 3 in range(5) }}{{ 'b' in d.keys() }}{{ {}.items() is iterable }}{% if {}.items() %}x{% else %}empty{% endif %}
{{ d.pop is defined }}{{ a.append is defined }}{{ d.get is defined }}{{ a.index(1) }}{{ a.count(9) }}{{ d.__class__ }}{{ d._x is defined }}{{ 's'.__len__ is defined }}
{{ d.update({'x': 1}) }}
{{ zz|int }}
{{ zz|abs }}
{{ zz|length }}{{ zz|upper }}{{ zz|list }}{{ zz|join(',') }}{{ zz|replace('a', 'b') }}{{ zz|trim }}{{ zz|items|list }}{{ zz|sort }}{{ zz ~ 'x' }}{{ 1 in zz }}{{ zz == zz }}{{ zz|first is defined }}{{ zz is sequence }}{{ zz is iterable }}{{ zz is mapping }}
{{ [1, 2.5]|tojson(separators=(',', ':')) }}{{ {'b': 1, 'a': [1]}|tojson(sort_keys=true, indent=1) }}{{ {'b': 'é'}|tojson(ensure_ascii=true) }}{{ [1, [2]]|tojson(indent='\t') }}{{ {'a': 1}|tojson(indent=2, separators=(' ; ', ' = ')) }}{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}{{ [[], {}]|tojson(indent=0) }}
{{ range(3)|tojson }}
{{ d.items()|tojson }}
{{ zz|tojson }}
{{ 5|round }}{{ 5.5|round }}{{ 1.115|round(2) }}{{ 2.675|round(2) }}{{ 1234.5|round(-2) }}{{ -0.5|round }}{{ 7|round(2, 'floor') }}{{ '12_3'|int }}{{ '0x1A'|int(0, 16) }}{{ '1A'|int(base=16) }}{{ ' 42 '|int }}{{ '4e2'|int }}{{ 'inf'|float }}{{ '1_0.5'|float }}{{ '.5'|float }}{{ '5.'|float }}{{ true|int }}{{ none|int(9) }}{{ 'x'|float(1.5) }}
{{ '%s|%5s|%-5s|%r' % ('a', 'b', 'c', 'd') }}{{ '%d %05d %+d %x %X %o %c' % (3, 42, 7, 255, 255, 8, 'z') }}{{ '%.2f %8.3f %e %g %%' % (3.14159, 2.5, 12345.678, 0.0001) }}{{ '%(a)s-%(b)d' % {'a': 'x', 'b': 2} }}{{ '%-6d|%06.2f|%.3s' % (42, 3.14159, 'abcdef') }}
{{ '%d' % 'x' }}
{{ '%s %s' % 'x' }}
{{ '%s' % ('a', 'b') }}
{{ '{} {}'.format(1, 'b') }}{{ '{1}{0}'.format('a', 'b') }}{{ '{k} {d[a]}'.format(k=1, d={'a': 2}) }}{{ '{:>6}|{:<6}|{:^6}|{:*^7}'.format('a', 'b', 'c', 'd') }}{{ '{:.2f} {:,} {:05d} {:+d} {:x} {:b} {:%} {:e}'.format(3.14159, 1234567, 42, 7, 255, 5, 0.25, 12345.678) }}{{ '{{}}{!r}'.format('q') }}{{ '{:>{w}}'.format('z', w=4) }}
{{ '{} {}'.format(1) }}
{{ 'a b-c (d e'|title }}{{ "it's a dog's life"|title }}{{ "it's a dog's".title() }}{{ 'ǆx'|title }}{{ 'HELLO wORLD'|title }}{{ 'a.b c'|capitalize }}{{ 'ÀB'.swapcase() }}{{ 'ab' is lower }}{{ '' is lower }}{{ '1' is upper }}{{ 'A1' is upper }}{{ 'Aa'.istitle() }}{{ '5'.isdecimal() }}{{ '½'.isnumeric() }}{{ 'é'.isascii() }}{{ 'a\n'.isprintable() }}
{{ 'abcabc'.find('c', 3) }}{{ 'abcabc'.find('a', 1, 3) }}{{ 'abcabc'.count('a', 1) }}{{ 'abc'.startswith('b', 1) }}{{ 'abc'.endswith('b', 0, 2) }}{{ 'abc'.index('c') }}{{ 'abcb'.rindex('b') }}{{ 'a\tb'.expandtabs(4) }}{{ 'aXbX'.rpartition('X') }}{{ 'a\nb'.splitlines(true) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'aaa'.count('') }}{{ 'x'.center(4, '*') }}|{{ '-5'.zfill(4) }}
{{ ['\u00a0', '\u3000', '\u200b', 'é', '\x7f', '\x1b', '\U0001F600', "a'b", 'a"b', "'\"", '\ud7ff'] }}{{ '\101\x41\u0041' }}{{ 0x1F }}{{ 0b101 }}{{ 0o17 }}{{ 1e5 }}{{ 1.5e-7 }}{{ 100000000000000000000.0 }}{{ 1_0.2_5 if false else 'n' }}
{{ '<a b="c">&\''|e }}{{ '<b>x</b>  <!-- c --> y &lt;'|striptags }}{{ 'a b/ü?&'|urlencode }}{{ {'a b': 'c/d', 'e': 1}|urlencode }}{{ {'class': 'x y', 'n': none, 'id': 3}|xmlattr }}{{ 1000|filesizeformat }}{{ 1|filesizeformat }}{{ 123456789|filesizeformat }}{{ 1536|filesizeformat(true) }}{{ 'the quick brown fox jumps'|wordwrap(10) }}{{ "a-b, c's"|wordcount }}
{% set c = cycler('o', 'e') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.current }}{% set j = joiner('|') %}{{ j() }}{{ j() }}{{ dict([['k', 1], ('j', 2)]) }}{{ namespace({'q': 5}).q }}{{ 'x' is filter }}{{ 'upper' is filter }}{{ 'odd' is test }}{{ 3.0 is odd }}{{ loop is callable }}{{ raise_exception is callable }}
{% block head %}in block {{ t }}{% endblock %}{% block tail scoped %}x{% endblock tail %}
{% include 'x.txt' %}
{% import 'x' as y %}
{% from 'x' import y %}
{% extends 'x' %}
{{ [3, 1] < [3, 2] }}{{ (1, 2) == (1, 2) }}{{ [1] == (1,) }}{{ (1, 2) * 2 }}{{ [] + [1] }}{{ 'a' * 0 }}{{ 'ab'[5] is defined }}{{ 'abc'[-1] }}{{ 'abc'[10:] }}{{ 'abcdef'[-3:-1] }}{{ 'abcdef'[::2] }}{{ (1, 2, 3)[1:] }}{{ {[1]: 2} if false else 1 }}{{ 2 ** 3 ** 2 }}{{ -5 // 2 }}{{ 5 % -3 }}{{ 1 if 0 else 2 if 0 else 3 }}{{ not 1 == 2 }}
{{ rows|sort(attribute='k,v')|map(attribute='v')|list }}{{ [[1, 2], [3]]|sum(start=[]) }}{{ words|min }}{{ words|max(case_sensitive=true) }}{{ rows|max(attribute='v') }}{{ []|min is defined }}{{ d|dictsort(false, 'key', true)|map('first')|list }}{{ rows|groupby('v')|map('first')|list }}{% for k, g in rows|groupby('k', case_sensitive=true) %}{{ k }}{{ g|length }}{% endfor %}{{ [1, [2], 'a']|unique|list if false else '' }}{{ [1, 1.0, true, 'a', 'A']|unique|list }}
{{ 'x\r\ny\rz'|indent(2) }}{{ ''|indent }}{{ 'a\n\n b'|indent('--') }}{{ 'abcdefghij'|truncate(5, true, '') }}{{ 'abc def ghi jkl'|truncate(8, leeway=0) }}{{ 'abc'|center(2) }}{{ 'aXbXc'|replace('X', '-', 1) }}{{ 5|string|length }}{{ 'abc'|batch(2)|list }}{{ 'abcde'|slice(2)|list }}{{ ''|first is defined }}{{ {'a': 1}|first }}{{ {'a': 1}|last }}{{ {'a': 1, 'b': 2}|list }}{{ {'a': 1, 'b': 2}|reverse|list }}
""".strip("\n").split("\n")

BLOCKS = [
    "line\n  {% if t %}\n  yes\n  {% endif %}\nend\n", "{% for x in a %}\n- {{ x }}\n{% endfor %}\n", "  {%+ if t %}x{% endif %}\n  y", "{% if t +%}\n x{% endif %}",
    "a  {{- 1 -}}  b\n\n{%- set q = 1 %}\n\nc {{ q }}\n", "\n\n{# c #}\n  {# d #}\nx\n\n", "x {# c #} y\n  {#- z #}  w", "\t{% set z = 3 %}\n\t{{ z }}\t\n", "a\r\nb\r{{ 1 }}\r\n",
    "{% raw -%}\n  {{ x }}\n  {%- endraw %}\nz", "{{ 1 }}\n{{ 2 }}\n\n", "{%- for i in [1,2] -%}\n  {{ i }}\n{%- endfor -%}\n tail", "{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {}} }}", "{% if t %}a{% else %}\n b{% endif %}\n\nc",
    "   {% set x %}\n   in\n   {% endset %}\n[{{ x }}]",
]

TEMPLATES = [
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    """{{- bos_token }}
{%- if messages[0].role == 'system' %}
    {%- set system_message = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
                {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
                {{- '<tool_call>\\n{"name": "' + tool_call.name + '", "arguments": ' }}
                {%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}""",
    """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}
{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message %}{% set content = '<<SYS>>\\n' ~ system_message ~ '\\n<</SYS>>\\n\\n' ~ message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' ~ content.strip() ~ ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' ~ content ~ ' ' ~ eos_token }}{% endif %}{% endfor %}""",
    """{%- macro render(value, depth=0) -%}
    {%- if value is string -%}{{ value }}
    {%- elif value is iterable and value is not mapping -%}
        {%- for part in value -%}{%- if part.type == 'text' -%}{{ part.text }}{%- else -%}{{ raise_exception('no ' ~ part.type) }}{%- endif -%}{%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- for message in messages -%}
<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}
{% generation %}{{ render(message.content)|trim }}{% endgeneration %}<end_of_turn>
{% endfor -%}
{%- if add_generation_prompt -%}<start_of_turn>model
{% endif -%}""",
]


def main():
    sources = [(piece, 0) for piece in PIECES + BLOCKS]
    for template in TEMPLATES:
        sources += [(template, number) for number in range(1, len(CONTEXTS))]
    for path in sorted(glob.glob(os.path.join(sys.argv[2], "*.jinja"))) if len(sys.argv) > 2 else []:
        sources += [(open(path, encoding="utf-8", newline="").read(), number) for number in range(1, len(CONTEXTS))]
    cases = []
    texts = {}
    for source, number in sources:
        try:
            text = _compile_jinja_template(source).render(**CONTEXTS[number])
        except Exception as error:
            text = None
        cases.append([texts.setdefault(source, len(texts)), number, text])
    with open(sys.argv[1], "w") as f:
        json.dump({"contexts": CONTEXTS, "sources": list(texts), "cases": cases}, f, ensure_ascii=False, separators=(",", ":"))
    print(len(cases), "cases,", sum(1 for c in cases if c[2] is None), "of them errors")


main()
